# Run as a program: repeats one named call of PgCodec many times and prints how references and memory moved. No assertions.
"""Usage: python pg_leak_cases.py NAME COUNT. What is printed is said in leak_run.py."""
import copy
import datetime as dt
import enum
import ipaddress
import json
import pickle
import uuid
from collections import UserDict
from decimal import Decimal
from zoneinfo import ZoneInfo

import leak_run
from leak_run import refused
from psycopg.types.json import Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from barewire._core import PgCodec


class Mood(enum.Enum):
    sad = 1


KEY, VALUE = "a_key_of_the_test", "a value of the test"
UTC, BERLIN = dt.timezone.utc, ZoneInfo("Europe/Berlin")
FACTORY = lambda *values: values  # noqa: E731
HSTORE, MOOD, PAIR = 20000, 20001, 20002
TYPES = [
    (HSTORE, "hstore", "b"), (MOOD, "mood", "e", False, 0, None, None, {"sad": Mood.sad}),
    (PAIR, "pair", "c", False, 0, [(KEY, 23), ("b", 1009)], FACTORY), (PAIR + 1, "_pair", "b", True, PAIR),
]
codec = PgCodec()
codec.add_types(TYPES)
zoned = PgCodec()
zoned.timezone = BERLIN
functions = PgCodec()
functions.json_loads, functions.json_dumps = json.loads, json.dumps

# One column per type.
COLUMNS = {
    16: True, 17: b"bytes", 18: "x", 20: 2**40, 21: 300, 23: 70000, 25: VALUE, 26: 2**31, 700: 1.5, 701: 2.5, 790: Decimal("1.25"), 1700: Decimal("12345.678"),
    114: {KEY: [VALUE, None, 1.5]}, 3802: [{KEY: {}}], 2950: uuid.uuid4(), 1082: dt.date(2020, 1, 2), 1083: dt.time(1, 2, 3), 1266: dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    1114: dt.datetime(2020, 1, 2, 3), 1184: dt.datetime(2020, 1, 2, tzinfo=UTC), 1186: dt.timedelta(5, 6, 7), 869: ipaddress.ip_address("::1"), 650: ipaddress.ip_network("10.0.0.0/8"),
    829: "08:00:2b:01:02:03", 1562: "10101", 600: "(1,2.5)", 602: "[(1,2),(3,4)]", 27: "(1,2)", 3220: "1/2", 5069: 2**63, 1007: [[1, None], [3, 4]], 1009: [VALUE, None],
    3904: Range(1000, 2000), 3910: Range(dt.datetime(2020, 1, 1, tzinfo=UTC), None), 4451: Multirange([Range(1000, 2000)]), HSTORE: {KEY: VALUE, "b": None}, MOOD: Mood.sad,
    PAIR: (1, [VALUE]), PAIR + 1: [(1, [VALUE]), None],
}
OIDS, NAMES = list(COLUMNS), [f"{KEY}_{oid}" for oid in COLUMNS]
ROW = tuple(COLUMNS.values())
LONG = Decimal("1234567890123456789012345678901234567890.5"), Decimal(10) ** 100
DICT = dict(zip(NAMES, ROW))
STREAM = codec.encode_rows(OIDS, NAMES, [ROW])
PLAIN = codec.encode_rows([23, 25], ["a", "b"], [(1, VALUE), (2, None)])
FIELDS = [(oid, codec.encode(oid, value)) for oid, value in COLUMNS.items()]
INSTANT = codec.encode(1184, COLUMNS[1184])
WRONG = object()


def values_cut():
    for oid, data in FIELDS:
        try:
            codec.decode(oid, data[:-1])
        except Exception:
            pass


def wrong_values():
    for oid in OIDS:
        refused(codec.encode, oid, WRONG)


def long_numbers():
    for number in LONG:
        codec.decode(1700, codec.encode(1700, number))


CASES = {
    "rows_there_and_back": lambda: codec.decode_rows(OIDS, NAMES, codec.encode_rows(OIDS, NAMES, [ROW])),
    "dicts_there_and_back": lambda: codec.decode_rows(OIDS, NAMES, codec.encode_rows(OIDS, NAMES, [DICT, UserDict(DICT)]), "dicts"),
    "records_there_and_back": lambda: codec.encode_rows(OIDS, NAMES, codec.decode_rows(OIDS, NAMES, STREAM, "records")),
    "records_pickled": lambda: pickle.loads(pickle.dumps(copy.deepcopy(codec.decode_rows([23, 25], ["a", "b"], PLAIN, "records")))),
    "columns": lambda: codec.encode_columns(OIDS, NAMES, [DICT, ROW]),
    "values_cut": values_cut,
    "wrong_values": wrong_values,
    "long_numbers": long_numbers,
    "zoned": lambda: zoned.decode(1184, zoned.encode(1184, zoned.decode(1184, INSTANT))),
    "json_functions": lambda: functions.decode(3802, functions.encode(3802, Jsonb({KEY: VALUE}))),
    "json_unusual": lambda: codec.decode(114, codec.encode(114, {1: VALUE, "x": 10**30})),
    "wrong_in_array": lambda: refused(codec.encode, 1007, [[1, 2], [3, WRONG]]),
    "wrong_in_pair": lambda: refused(codec.encode, PAIR + 1, [(1, [VALUE]), {KEY: 1, "b": [WRONG]}]),
    "wrong_row": lambda: refused(codec.encode_rows, [23, 25], ["a", "b"], [(1, VALUE), (1, WRONG)]),
    "wrong_row_of_columns": lambda: refused(codec.encode_columns, [23, 25], ["a", "b"], [(1, VALUE), {"a": 1}]),
    "stream_cut": lambda: refused(codec.decode_rows, OIDS, NAMES, STREAM[:-3]),
    "text_results": lambda: (codec.decode(25, b"text", True), codec.decode(1007, b"{1,2}", True), codec.decode(1184, b"2020-01-01 00:00:00+00", True)),
    "add_types": lambda: (codec.add_types(TYPES), codec.missing_types(TYPES)),
}
SHARED = {
    "key": KEY, "value": VALUE, "row": ROW, "dict": DICT, "names": NAMES, "wrong": WRONG, "factory": FACTORY, "Mood": Mood, "member": Mood.sad,
    "utc": UTC, "zone": BERLIN, "None": None, "True": True, "Decimal": Decimal, "UUID": uuid.UUID, "Range": Range, "Multirange": Multirange,
    "IPv6Address": ipaddress.IPv6Address, "loads": json.loads, "codec": codec, "empty": "", "range": COLUMNS[3904], "list": COLUMNS[1007], "decimal": LONG[0],
}

if __name__ == "__main__":
    leak_run.main(CASES, SHARED)
