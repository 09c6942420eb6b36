"""Compares what peers produced. It runs before any figure is looked at and knows nothing of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def difference(outcome: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """Empty when ``outcome`` agrees with ``reference``, else a text that names the first disagreement.

    A key that only one side has is not compared: native programs report fewer things than Python peers. At least one
    key must be common, else nothing was checked and that is a disagreement too.
    """
    common = [key for key in reference if key in outcome]
    if not common:
        return "nothing of what it produced could be compared"
    for key in common:
        if outcome[key] != reference[key]:
            return f"{key} is {outcome[key]!r}, expected {reference[key]!r}"
    return ""
