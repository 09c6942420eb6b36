"""The 6-field document used all over, and its identifiers. The native programs build the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bson import ObjectId

CITIES = ("Amsterdam", "Berlin", "Lisbon", "Prague", "Vienna")


def user(index: int) -> dict[str, Any]:
    """Document number ``index``: six fields, about 128 bytes of BSON with an ``_id``."""
    return {
        "name": f"User{index}",
        "email": f"user{index}@example.com",
        "age": 20 + index % 50,
        "city": CITIES[index % 5],
        "score": index * 1.5,
        "active": index % 2 == 0,
    }


def users(count: int) -> list[dict[str, Any]]:
    return [user(index) for index in range(count)]


def identifier(index: int) -> ObjectId:
    """A fixed ``_id`` for user ``index``, so that every peer can ask for the same documents."""
    from bson import ObjectId  # here: processes of peers that know nothing of MongoDB make users too

    return ObjectId(b"\x65\x00\x00\x00bench" + index.to_bytes(3, "big"))


def visit_order(count: int, of: int) -> list[int]:
    """``count`` indexes below ``of`` in a fixed scattered order (a step coprime to 2 and 5 visits each once)."""
    return [(step * 7919) % of for step in range(count)]
