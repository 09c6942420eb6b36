# What Python's datetime cannot hold, and time zones: values and errors equal psycopg's binary loaders.
from __future__ import annotations

import datetime as dt
import os
import random
import struct
from collections.abc import Callable
from zoneinfo import ZoneInfo

import psycopg
import pytest
from pg_random_values import same
from psycopg import pq
from psycopg.adapt import Transformer

from barewire._core import PgCodec

ROUNDS = 10_000 if os.environ.get("BAREWIRE_LONG") == "1" else 300
DATE, TIME, TIMETZ, TIMESTAMP, TIMESTAMPTZ, INTERVAL = 1082, 1083, 1266, 1114, 1184, 1186
DAY = 86400 * 10**6
FIRST, LAST = -63082281600000000, 252455615999999999  # microseconds of 0001-01-01 and of the end of 9999
EDGES = sorted({edge + delta for edge in (FIRST, LAST, 0, FIRST + DAY, LAST - DAY, FIRST - DAY, LAST + DAY) for delta in (-3600 * 10**6, -1, 0, 1, 3600 * 10**6, 7 * 3600 * 10**6)}) + [-(2**63), 2**63 - 1, -(2**63) + 1, 2**63 - 2]


def outcome(load: Callable[[], object]) -> tuple[str, object]:
    try:
        return "value", load()
    except psycopg.Error as error:
        return type(error).__name__, str(error)


def assert_same(ours: tuple[str, object], theirs: tuple[str, object]) -> None:
    assert ours[0] == theirs[0], (ours, theirs)
    assert same(ours[1], theirs[1]), (ours, theirs)


def packed(oid: int, r: random.Random) -> bytes:
    instant = r.choice(EDGES) if r.random() < 0.2 else r.randrange(FIRST - 10 * DAY, LAST + 10 * DAY)
    if oid == DATE:
        return struct.pack("!i", r.choice([-(2**31), 2**31 - 1, -730119, -730120, 2921939, 2921940, r.randrange(-730119, 2921940)]))
    if oid == TIME:
        return struct.pack("!q", r.choice([0, DAY, DAY - 1, r.randrange(DAY)]))
    if oid == TIMETZ:
        return struct.pack("!qi", r.choice([0, DAY, DAY - 1, r.randrange(DAY)]), r.randrange(-57599, 57600))
    if oid == INTERVAL:
        days, months = (r.choice([0, 1, -1, 2**31 - 1, -(2**31), r.randrange(-(10**6), 10**6)]) for _ in range(2))
        return struct.pack("!qii", r.choice([0, -1, 2**63 - 1, -(2**63), r.randrange(-(2**60), 2**60)]), days, months)
    return struct.pack("!q", instant)


@pytest.mark.parametrize("oid", [DATE, TIME, TIMETZ, TIMESTAMP, TIMESTAMPTZ, INTERVAL])
def test_values_and_errors(oid: int) -> None:
    codec, loader = PgCodec(), Transformer().get_loader(oid, pq.Format.BINARY)
    if oid == INTERVAL:
        # The compiled loader lets the days overflow 32 bits.
        loader = psycopg.types.datetime.IntervalBinaryLoader(oid)
    r = random.Random(oid)
    for _ in range(ROUNDS):
        data = packed(oid, r)
        ours, theirs = outcome(lambda: codec.decode(oid, data)), outcome(lambda: loader.load(data))
        if oid == INTERVAL and ours[0] == "DataError":
            # The same refusal; the detail of theirs is the text of an OverflowError.
            ours, theirs = (ours[0], ours[1][:20]), (theirs[0], theirs[1][:20])
        assert_same(ours, theirs)


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "Zulu", "Europe/Berlin", "America/Chicago", "Asia/Kolkata", "Pacific/Auckland", "Africa/Monrovia"])
def test_the_zone_of_the_session(postgres_conninfo: str, zone: str) -> None:
    codec = PgCodec()
    codec.timezone = dt.timezone.utc if zone == "UTC" else ZoneInfo(zone)
    r = random.Random(zone)
    with psycopg.connect(postgres_conninfo, options=f"-c timezone={zone}") as connection:
        loader = Transformer(connection).get_loader(TIMESTAMPTZ, pq.Format.BINARY)
        for instant in [*EDGES, *(r.randrange(FIRST, LAST) for _ in range(ROUNDS)), *(r.randrange(0, 10**15) for _ in range(ROUNDS))]:
            data = struct.pack("!q", instant)
            ours, theirs = outcome(lambda: codec.decode(TIMESTAMPTZ, data)), outcome(lambda: loader.load(data))
            assert_same(ours, theirs)
            if ours[0] == "value":
                assert ours[1].tzinfo is theirs[1].tzinfo
                if FIRST + DAY < instant < LAST - DAY:
                    assert codec.encode(TIMESTAMPTZ, ours[1]) == data


def test_naive_datetimes_are_of_the_session_as_the_server_takes_them(postgres_conninfo: str) -> None:
    codec = PgCodec()
    codec.timezone = ZoneInfo("Europe/Berlin")
    r = random.Random(5)
    with psycopg.connect(postgres_conninfo, options="-c timezone=Europe/Berlin") as connection:
        for _ in range(50):
            naive = dt.datetime(2020, 1, 1) + dt.timedelta(microseconds=r.randrange(10**13))
            (stored,) = connection.cursor(binary=True).execute("SELECT %s::timestamp::timestamptz", [naive]).fetchone()
            if naive.replace(tzinfo=codec.timezone, fold=1) == naive.replace(tzinfo=codec.timezone):
                assert codec.decode(TIMESTAMPTZ, codec.encode(TIMESTAMPTZ, naive)) == stored


def test_a_date_is_midnight() -> None:
    codec = PgCodec()
    assert codec.decode(TIMESTAMP, codec.encode(TIMESTAMP, dt.date(2020, 1, 2))) == dt.datetime(2020, 1, 2)
    assert codec.decode(DATE, codec.encode(DATE, dt.datetime(2020, 1, 2, 3))) == dt.date(2020, 1, 2)
