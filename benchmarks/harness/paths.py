"""Takes folders of the measuring machine out of texts that are saved. Nothing else lives here."""

from __future__ import annotations

import re
from typing import Any

_FOLDERS = re.compile(r"(?:(?<![\w:/])|(?<=-[LI]))(?:/[^/\s'\",:;()]+)+/(?=[^/\s'\",:;()]*)")


def without_folders(value: Any) -> Any:
    """``value`` with the folders of absolute paths removed from every text in it: only the last part is left."""
    if isinstance(value, str):
        return _FOLDERS.sub("", value)
    if isinstance(value, dict):
        return {name: without_folders(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    return value
