# Names of psycopg and the standard library that the PostgreSQL codec reads or writes past their constructors.
"""Where one of them has changed, the codec falls back to constructors and properties: slower, same values."""
from __future__ import annotations

import copy
import ipaddress
import pickle
import uuid
from decimal import Decimal

import pytest
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.types.json import Json, Jsonb
from psycopg.types.range import Range

from barewire._core import PgCodec


@pytest.mark.parametrize(
    ("value", "slots"),
    [
        (Range(1, 2, "[]"), {"_lower": 1, "_upper": 2, "_bounds": "[]"}),
        (Range(empty=True), {"_lower": None, "_upper": None, "_bounds": ""}),
        (Json([1], dumps=repr), {"obj": [1], "dumps": repr}),
        (Jsonb([1]), {"obj": [1], "dumps": None}),
        (uuid.UUID(int=5), {"int": 5, "is_safe": uuid.SafeUUID.unknown}),
        (ipaddress.IPv4Address("0.0.0.5"), {"_ip": 5}),
        (ipaddress.IPv6Address("::5"), {"_ip": 5, "_scope_id": None}),
    ],
    ids=repr,
)
def test_slots(value: object, slots: dict[str, object]) -> None:
    for name, held in slots.items():
        assert name in type(value).__dict__ or any(name in parent.__dict__ for parent in type(value).__mro__)
        assert getattr(value, name) == held


def test_text_loaders_are_found_by_oid_without_a_connection() -> None:
    assert Transformer().get_loader(1700, Format.TEXT).load(b"1.50") == Decimal("1.50")
    assert int(Format.TEXT) == 0


def test_what_is_built_past_a_constructor_is_as_good_as_any() -> None:
    codec = PgCodec()
    for oid, value in [(3904, Range(1000, 2000)), (2950, uuid.UUID(int=2**100)), (869, ipaddress.ip_address("1.2.3.4")), (869, ipaddress.ip_address("::1")), (1700, Decimal("-12345.6700"))]:
        made = codec.decode(oid, codec.encode(oid, value))
        assert made == value and hash(made) == hash(value) and repr(made) == repr(value)
        assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == value
