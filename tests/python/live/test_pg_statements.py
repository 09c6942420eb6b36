# fetch, fetchrow, fetchval, execute, executemany, prepare: results, shapes, errors, on both faces and both libpqs.
from __future__ import annotations

import datetime
import decimal
import ipaddress
import uuid
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors
from psycopg.types.range import Range

import barewire.pg


async def test_shapes(session: Any) -> None:
    query = "SELECT n AS a, n::text AS b FROM generate_series(1, 2) n ORDER BY n"
    assert await session.fetch(query) == [(1, "1"), (2, "2")]
    assert await session.fetch(query, rows=tuple) == [(1, "1"), (2, "2")]
    assert await session.fetch(query, rows=dict) == [{"a": 1, "b": "1"}, {"a": 2, "b": "2"}]
    records = await session.fetch(query, rows=barewire.pg.Record)
    assert [r["b"] for r in records] == ["1", "2"] and records[0][0] == 1 and dict(records[1].items()) == {"a": 2, "b": "2"}
    assert await session.fetchrow(query) == (1, "1")
    assert await session.fetchrow(query, rows=dict) == {"a": 1, "b": "1"}
    assert await session.fetchval(query) == 1
    assert await session.fetchval(query, column=1) == "1"
    with pytest.raises(IndexError, match="2 columns, there is none at 2"):
        await session.fetchval(query, column=2)
    with pytest.raises(TypeError, match="rows must be tuple, dict or barewire.pg.Record"):
        await session.fetch(query, rows=list)


async def test_no_rows_and_no_columns(session: Any) -> None:
    assert await session.fetch("SELECT 1 WHERE false") == []
    assert await session.fetchrow("SELECT 1 WHERE false") is None
    assert await session.fetchval("SELECT 1 WHERE false") is None
    assert await session.fetchval("SELECT NULL::int") is None
    assert await session.fetch("CREATE TABLE t (n int)") == []
    assert await session.fetch("SELECT FROM generate_series(1, 3)") == [(), (), ()]
    assert await session.fetch("") == []
    assert await session.execute("") == ""


async def test_default_shape_of_the_connection(face: str, pg_schema: str) -> None:
    made = await pg_faces.connect(face, pg_schema, rows=dict)
    assert await made.fetch("SELECT 1 AS a") == [{"a": 1}]
    assert await made.fetch("SELECT 1 AS a", rows=tuple) == [(1,)]
    await made.close()


async def test_parameters_have_the_servers_types(session: Any) -> None:
    values = [
        ("int2", 7), ("int8", 2**40), ("numeric", decimal.Decimal("1.50")), ("text", "ä\u20ac"), ("bytea", b"\0\xff"),
        ("bool", True), ("float8", 1.5), ("uuid", uuid.uuid4()), ("date", datetime.date(2020, 2, 29)),
        ("timestamptz", datetime.datetime(2020, 1, 2, 3, 4, 5, 6, datetime.timezone.utc)),
        ("interval", datetime.timedelta(days=1, seconds=2)), ("inet", ipaddress.ip_address("10.0.0.1")),
        ("int4[]", [1, None, 3]), ("int4[]", [[1, 2], [3, 4]]), ("jsonb", {"a": [1, None]}), ("int4range", Range(1, 5)),
        ("text", None),
    ]  # fmt: skip
    for kind, value in values:
        assert await session.fetchval(f"SELECT $1::{kind}", value) == value, kind
    assert await session.fetchval("SELECT $1", "no type: the server takes text") == "no type: the server takes text"


async def test_values_that_do_not_fit(session: Any) -> None:
    with pytest.raises(psycopg.DataError, match=r"\$1: expected int for int4, got str"):
        await session.fetch("SELECT $1::int", "5")
    with pytest.raises(psycopg.DataError, match=r"\$2: expected str for text, got int"):
        await session.fetch("SELECT $1::int, $2::text", 5, 6)
    with pytest.raises(psycopg.DataError, match=r"\$1\[1\]"):
        await session.fetch("SELECT $1::int[]", [1, "x"])
    with pytest.raises(errors.NumericValueOutOfRange):
        await session.fetch("SELECT $1::int2", 100000)
    with pytest.raises(psycopg.ProgrammingError, match="the query has 1 parameters, 2 were given"):
        await session.fetch("SELECT $1::int", 1, 2)
    with pytest.raises(psycopg.ProgrammingError, match="the query has 1 parameters, 0 were given"):
        await session.fetch("SELECT $1::int")
    assert await session.fetchval("SELECT $1::int", 5) == 5


async def test_statements_that_are_none(session: Any) -> None:
    with pytest.raises(TypeError, match="a statement must be a str, not bytes"):
        await session.fetch(b"SELECT 1")
    with pytest.raises(psycopg.ProgrammingError, match="NUL"):
        await session.fetch("SELECT 1\0")
    with pytest.raises(TypeError, match="missing required argument: 'query'"):
        await session.fetch()
    with pytest.raises(TypeError, match="unexpected keyword argument 'row'"):
        await session.fetch("SELECT 1", row=dict)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="timeout must be a positive number"):
            await session.fetch("SELECT 1", timeout=wrong)


async def test_errors_are_psycopgs(session: Any) -> None:
    await session.execute("CREATE TABLE t (n int PRIMARY KEY CHECK (n > 0))")
    await session.execute("INSERT INTO t VALUES ($1)", 1)
    with pytest.raises(errors.UniqueViolation) as raised:
        await session.execute("INSERT INTO t VALUES ($1)", 1)
    diag = raised.value.diag
    assert diag.sqlstate == "23505" == raised.value.sqlstate and diag.constraint_name == "t_pkey" and diag.table_name == "t"
    assert diag.severity == "ERROR" and diag.message_detail == "Key (n)=(1) already exists." and diag.context is None
    assert str(raised.value).startswith('duplicate key value violates unique constraint "t_pkey"\nDETAIL:')
    with pytest.raises(errors.CheckViolation):
        await session.execute("INSERT INTO t VALUES ($1)", -1)
    with pytest.raises(errors.SyntaxError) as syntax:
        await session.fetch("SELEC 1")
    assert syntax.value.diag.statement_position == "1"
    with pytest.raises(errors.UndefinedTable):
        await session.fetch("SELECT * FROM nowhere")
    with pytest.raises(psycopg.DataError, match="division by zero"):
        await session.fetchval("SELECT 1 / 0")
    assert await session.fetchval("SELECT count(*) FROM t") == 1


async def test_an_error_equals_psycopgs(session: Any, witness: psycopg.Connection[Any]) -> None:
    with pytest.raises(errors.InvalidTextRepresentation) as ours:
        await session.fetch("SELECT 'x'::int AS c")
    with pytest.raises(errors.InvalidTextRepresentation) as theirs:
        witness.execute("SELECT 'x'::int AS c", binary=True)
    assert str(ours.value) == str(theirs.value)
    for name in ("severity", "sqlstate", "message_primary", "statement_position", "source_file", "source_function"):
        assert getattr(ours.value.diag, name) == getattr(theirs.value.diag, name)
    import pickle

    again = pickle.loads(pickle.dumps(ours.value))
    assert str(again) == str(ours.value) and again.diag.sqlstate == "22P02"


async def test_execute_gives_tags(session: Any) -> None:
    assert await session.execute("CREATE TABLE t (n int)") == "CREATE TABLE"
    assert await session.execute("INSERT INTO t SELECT generate_series(1, 3)") == "INSERT 0 3"
    assert await session.execute("UPDATE t SET n = n + $1", 1) == "UPDATE 3"
    assert await session.execute("SELECT * FROM t") == "SELECT 3"
    assert await session.execute("DELETE FROM t;") == "DELETE 3"
    assert await session.execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2), (3)") == "INSERT 0 2"
    with pytest.raises(errors.UndefinedTable):
        await session.execute("DELETE FROM t; DELETE FROM nowhere")
    assert await session.fetchval("SELECT count(*) FROM t") == 3


async def test_many_rows_arrive_whole(session: Any) -> None:
    for _ in range(2):  # the second time the statement is known to give many
        rows = await session.fetch("SELECT n, repeat('x', 20) || n AS t FROM generate_series(1, 50000) n")
        assert len(rows) == 50000 and rows[0] == (1, "x" * 20 + "1") and rows[-1] == (50000, "x" * 20 + "50000")


async def test_a_row_that_cannot_be_read(session: Any) -> None:
    with pytest.raises(psycopg.DataError):
        await session.fetch("SELECT CASE WHEN n = 900 THEN 'infinity' ELSE '2020-01-01' END::date FROM generate_series(1, 1000) n")
    assert await session.fetchval("SELECT 1") == 1


async def test_large_values_both_ways(session: Any) -> None:
    text = "ä" * 5_000_000
    assert await session.fetchval("SELECT $1::text", text) == text


async def test_executemany(session: Any) -> None:
    await session.execute("CREATE TABLE t (n int PRIMARY KEY, s text)")
    assert await session.executemany("INSERT INTO t VALUES ($1, $2)", [(i, str(i)) for i in range(1000)]) is None
    await session.executemany("INSERT INTO t VALUES ($1, $2)", ([i, None] for i in range(1000, 30000)))
    await session.executemany("INSERT INTO t VALUES ($1, $2)", [])
    assert await session.fetchrow("SELECT count(*), count(s), sum(n) FROM t") == (30000, 1000, sum(range(30000)))


async def test_executemany_is_all_or_nothing(session: Any) -> None:
    await session.execute("CREATE TABLE t (n int PRIMARY KEY)")
    statement = "INSERT INTO t VALUES ($1)"
    with pytest.raises(psycopg.DataError, match=r"row 700, \$1: expected int for int4, got str"):
        await session.executemany(statement, ((i if i != 700 else "x",) for i in range(1000)))
    with pytest.raises(errors.UniqueViolation) as raised:
        await session.executemany(statement, [(i % 900,) for i in range(1000)])
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__ == ["row 900 of executemany"]
    with pytest.raises(psycopg.ProgrammingError, match="row 2: the query has 1 parameters, 2 were given"):
        await session.executemany(statement, [(1,), (2,), (3, 4)])
    with pytest.raises(TypeError, match="row 1: a sequence of parameters is needed, not int"):
        await session.executemany(statement, [(1,), 2])
    with pytest.raises(TypeError):
        await session.executemany(statement, 5)

    def broken() -> Any:
        yield from ((i,) for i in range(500))
        raise LookupError("of the generator")

    with pytest.raises(LookupError, match="of the generator"):
        await session.executemany(statement, broken())
    assert await session.fetchval("SELECT count(*) FROM t") == 0


async def test_prepare(session: Any) -> None:
    await session.execute("CREATE TABLE t (n int, s text)")
    statement = await session.prepare("SELECT n, s FROM t WHERE n = $1")
    assert statement.parameters == (23,) and statement.columns == (("n", 23), ("s", 25))
    insert = await session.prepare("INSERT INTO t VALUES ($1, $2)")
    assert insert.parameters == (23, 25) and insert.columns == ()
    assert await insert.execute(1, "a") == "INSERT 0 1"
    await insert.executemany([(2, "b"), (3, "c")])
    assert await statement.fetch(2) == [(2, "b")]
    assert await statement.fetchrow(3, rows=dict) == {"n": 3, "s": "c"}
    assert await statement.fetchval(1, column=1) == "a"
    with pytest.raises(errors.UndefinedColumn):
        await session.prepare("SELECT missing FROM t")


async def test_prepared_on_the_server_as_remembered_here(session: Any) -> None:
    for number in range(10):
        await session.fetch(f"SELECT {number} + $1::int", 1)
    await session.fetch("SELECT 3 + $1::int", 1)
    assert session.cached_statements == 10
    names = await session.fetch("SELECT name FROM pg_prepared_statements")
    assert len(names) == 11 == session.cached_statements  # this one is among them


@pytest.mark.parametrize("size", [0, 1, 3])
async def test_size_of_the_statement_cache(face: str, libpq: str, pg_schema: str, size: int) -> None:
    made = await pg_faces.connect(face, pg_schema, libpq=libpq, statement_cache_size=size)
    for _ in range(2):
        for number in range(6):
            assert await made.fetchval(f"SELECT {number} + $1::int", 1) == number + 1
    count = await made.execute("SELECT * FROM pg_prepared_statements")
    assert int(count.split()[1]) <= size
    await made.close()


async def test_a_table_that_changes(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.execute("CREATE TABLE t (n int)")
    await session.execute("INSERT INTO t VALUES (1)")
    assert await session.fetch("SELECT * FROM t") == [(1,)]
    witness.execute("ALTER TABLE t ADD COLUMN s text DEFAULT 'x'")
    assert await session.fetch("SELECT * FROM t") == [(1, "x")]
    witness.execute("ALTER TABLE t DROP COLUMN n")
    assert await session.fetch("SELECT * FROM t", rows=dict) == [{"s": "x"}]
    await session.execute("DISCARD ALL")
    await session.execute(f"SET search_path = {await session.fetchval('SELECT nspname FROM pg_namespace n, pg_class c WHERE c.relnamespace = n.oid AND relname = $1', 't')}")
    assert await session.fetch("SELECT * FROM t") == [("x",)]
    await session.execute("DEALLOCATE ALL")
    assert await session.fetch("SELECT * FROM t") == [("x",)]


async def test_a_table_that_changes_inside_a_transaction(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.execute("CREATE TABLE t (n int)")
    await session.fetch("SELECT * FROM t")
    witness.execute("ALTER TABLE t ADD COLUMN s text")
    with pytest.raises(errors.FeatureNotSupported, match="cached plan must not change result type"):
        async with session.transaction():
            await session.fetch("SELECT * FROM t")
    assert await session.fetch("SELECT * FROM t") == []


async def test_time_zone_of_the_session(session: Any) -> None:
    moment = datetime.datetime(2020, 7, 1, 12, tzinfo=datetime.timezone.utc)
    for zone in ("Europe/Berlin", "America/New_York", "UTC"):
        await session.execute(f"SET TIME ZONE '{zone}'")
        found = await session.fetchval("SELECT $1::timestamptz", moment)
        assert found == moment and str(found.tzinfo) == zone


async def test_json_functions(face: str, pg_schema: str) -> None:
    import json

    made = await pg_faces.connect(
        face, pg_schema, json_loads=lambda data: ("loaded", json.loads(data)), json_dumps=lambda value: json.dumps({"v": value})
    )
    assert await made.fetchval("SELECT $1::jsonb", 5) == ("loaded", {"v": 5})
    await made.close()


async def test_json_functions_cannot_use_the_connection(face: str, pg_schema: str) -> None:
    made: Any = None

    def loads(data: Any) -> Any:
        return pg_faces.bare(made).fetchval("SELECT 1")

    made = await pg_faces.connect(face, pg_schema, json_loads=loads)
    with pytest.raises(psycopg.ProgrammingError, match="cannot be used by code that it calls itself"):
        await made.fetchval("SELECT '1'::jsonb")
    assert await made.fetchval("SELECT 2") == 2
    await made.close()


async def test_facts(session: Any, libpq: str) -> None:
    assert session.server_version >= 140000 and session.backend_pid > 0 and not session.closed
    assert session.parameter_status("server_encoding") == "UTF8" and session.parameter_status("nothing") is None
    assert await session.fetchval("SELECT pg_backend_pid()") == session.backend_pid
    assert session.libpq_version >= (140000 if libpq == "system" else 170000)
    assert session.in_transaction is False


async def test_closed(session: Any) -> None:
    await session.close()
    await session.close()
    assert session.closed
    with pytest.raises(psycopg.OperationalError, match="the connection is closed"):
        await session.fetch("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="the connection is closed"):
        await session.execute("SELECT 1; SELECT 2")


async def test_timeout_leaves_the_connection_usable(session: Any) -> None:
    with pytest.raises(barewire.pg.StatementTimeout) as raised:
        await session.fetch("SELECT pg_sleep(20)", timeout=0.1)
    assert isinstance(raised.value, errors.QueryCanceled) and isinstance(raised.value, TimeoutError)
    with pytest.raises(TimeoutError):
        await session.execute("SELECT 1; SELECT pg_sleep(20)", timeout=0.1)
    assert await session.fetchval("SELECT 1", timeout=10) == 1
    async with session.transaction():
        assert await session.fetchval("SELECT 2", timeout=10) == 2


@pytest.mark.parametrize("dsn,error", [
    ("host=/nowhere dbname=x", psycopg.OperationalError),
    ("nonsense", psycopg.ProgrammingError),
    ("host=127.0.0.1 port=1", psycopg.OperationalError),
])  # fmt: skip
async def test_connecting_fails(face: str, libpq: str, dsn: str, error: type[BaseException]) -> None:
    with pytest.raises(error):
        await pg_faces.connect(face, dsn, libpq=libpq)


async def test_connecting_to_a_database_that_is_not_there(face: str, libpq: str, pg_conninfo: str) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "absent" does not exist'):
        await pg_faces.connect(face, pg_conninfo, libpq=libpq, dbname="absent")
