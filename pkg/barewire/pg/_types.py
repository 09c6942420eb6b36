# Types that only the database knows (enums, composites, domains, ranges, extensions' types): how they are looked up.
"""One catalogue query per unknown type; it finds everything that the type is made of as well."""

from __future__ import annotations

import datetime
import logging
import zoneinfo

_logger = logging.getLogger(__name__)

_MULTIRANGE = """
    UNION ALL SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid"""

_QUERY = """
WITH RECURSIVE wanted(oid) AS (
    SELECT pg_catalog.unnest($1::oid[])
  UNION
    SELECT part.oid
    FROM wanted JOIN pg_catalog.pg_type t ON t.oid = wanted.oid CROSS JOIN LATERAL (
        SELECT t.typelem WHERE {is_array}
        UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid{multirange}
        UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS part(oid)
)
SELECT t.oid, t.typname::text, t.typtype::text, {is_array},
    CASE WHEN {is_array} THEN t.typelem
         WHEN t.typtype = 'd' THEN t.typbasetype
         WHEN t.typtype = 'r' THEN (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
         WHEN t.typtype = 'm' THEN {range_of}
         ELSE 0::oid END,
    (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
    (SELECT pg_catalog.array_agg(a.atttypid ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
    t.typdelim::text, (SELECT p.proname::text FROM pg_catalog.pg_proc p WHERE p.oid = t.typsend::oid)
FROM (SELECT DISTINCT oid FROM wanted) AS found JOIN pg_catalog.pg_type t ON t.oid = found.oid
"""


def lookup_query(server_version: int) -> str:
    """$1: oids. Columns: oid, name, typtype, whether it is an array, element oid (array, domain, range, multirange), names and
    type oids of a composite's attributes, delimiter, name of the function that sends it."""
    if server_version >= 140000:
        return _QUERY.format(
            is_array="t.typsubscript = 'pg_catalog.array_subscript_handler'::pg_catalog.regproc",
            multirange=_MULTIRANGE,
            range_of="(SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid)",
        )
    return _QUERY.format(
        is_array="(t.typcategory = 'A' AND t.typelem <> 0 AND t.typlen = -1)", multirange="", range_of="0::oid"
    )


def timezone(name: str) -> datetime.tzinfo:
    """The session's TimeZone. A name that Python does not know becomes UTC, as psycopg does it, with a warning logged."""
    if name == "UTC":
        return datetime.timezone.utc  # as psycopg does it, too
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        _logger.warning("unknown PostgreSQL timezone: %r; will use UTC", name)
        return datetime.timezone.utc
