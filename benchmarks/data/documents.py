"""Documents of several shapes for the codec cases. The values are made up and fixed."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any

from bson import Decimal128, ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions

from .users import identifier, user

_START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def flat(index: int) -> dict[str, Any]:
    return {"_id": identifier(index), **user(index)}


def nested(index: int) -> dict[str, Any]:
    """Three levels of documents and arrays: about 400 bytes."""
    return {
        "_id": identifier(index),
        "customer": {"name": f"User{index}", "address": {"street": f"{index} Long Street", "zip": f"{index % 90_000 + 10_000}",
                                                       "geo": {"lat": index % 180 - 90.5, "lon": index % 360 - 180.25}}},
        "items": [{"sku": f"SKU-{index}-{line}", "amount": line + 1, "price": 9.5 * (line + 1)} for line in range(3)],
        "tags": ["new", "paid", "express"],
        "totals": {"net": index * 1.25, "tax": {"rate": 0.19, "amount": index * 0.2375}},
    }


def tweet(index: int) -> dict[str, Any]:
    """A wide document with long texts, counters and a nested author: about 1.5 kB of BSON."""
    text = f"Post number {index}: the quick brown fox jumps over the lazy dog, again and again, and nobody knows why. "
    return {
        "_id": identifier(index),
        "created_at": "Mon Jun 03 18:01:29 +0000 2024",
        "id": 1_797_000_000_000_000_000 + index,
        "text": (text * 3)[:280],
        "truncated": False,
        "source": "<a href=\"https://example.com/client\" rel=\"nofollow\">Example Client</a>",
        "in_reply_to": None,
        "user": {
            "id": 2_000_000 + index, "name": f"User {index}", "screen_name": f"user_{index}", "location": "Lisbon, Portugal",
            "description": "Writes about rain, trams and databases. Opinions are borrowed and will be returned.",
            "url": f"https://example.com/user_{index}", "protected": False, "followers": index % 5_000,
            "friends": index % 700, "listed": index % 40, "favourites": index % 9_000, "statuses": index % 20_000,
            "verified": index % 97 == 0, "lang": "en", "colour": "C0DEED", "image": f"https://example.com/p/{index}.png",
        },
        "geo": None,
        "coordinates": [-9.139 + index % 100 / 1_000, 38.722],
        "retweets": index % 300,
        "favourites": index % 1_200,
        "entities": {
            "hashtags": [{"text": "rain", "indices": [10, 15]}, {"text": "trams", "indices": [20, 26]}],
            "urls": [{"url": "https://example.com/a", "expanded": f"https://example.com/articles/{index}", "indices": [40, 63]}],
            "mentions": [{"screen_name": "someone", "id": 12, "indices": [0, 8]}],
        },
        "favourited": False,
        "sensitive": False,
        "place": {"id": "c3f37afa9efcf94b", "kind": "city", "name": "Lisbon", "country": "Portugal", "country_code": "PT"},
        "quoted": None,
        "lang": "en",
    }


def aware_times(index: int) -> dict[str, Any]:
    return {
        "_id": identifier(index),
        **{f"at_{hour}": _START + datetime.timedelta(hours=hour, seconds=index) for hour in range(8)},
    }


def uuids(index: int) -> dict[str, Any]:
    return {"_id": identifier(index), **{f"key_{field}": uuid.UUID(int=(index << 64) + field) for field in range(8)}}


def decimals(index: int) -> dict[str, Any]:
    return {"_id": identifier(index), **{f"price_{field}": Decimal128(f"{index}.{field}5") for field in range(8)}}


def object_ids(index: int) -> dict[str, Any]:
    return {
        "_id": identifier(index),
        "owner": identifier(index + 1),
        "links": [ObjectId(identifier(index + link).binary) for link in range(10)],
    }


#: name: (maker, options both codecs are given)
SHAPES: dict[str, tuple[Callable[[int], dict[str, Any]], CodecOptions[dict[str, Any]]]] = {
    "flat": (flat, CodecOptions()),
    "nested": (nested, CodecOptions()),
    "tweet": (tweet, CodecOptions()),
    "aware_times": (aware_times, CodecOptions(tz_aware=True)),
    "uuids": (uuids, CodecOptions(uuid_representation=UuidRepresentation.STANDARD)),
    "decimals": (decimals, CodecOptions()),
    "object_ids": (object_ids, CodecOptions()),
}
