# copy_to and copy_from: the server's bytes both ways, and rows decoded from COPY BINARY.
from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors

import barewire.pg


@pytest.fixture
def table(witness: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    witness.execute("CREATE TABLE t (n int, s text)")
    return witness


def content(witness: psycopg.Connection[Any]) -> list[Any]:
    return witness.execute("SELECT * FROM t ORDER BY 1").fetchall()


OUT = "COPY (SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n) TO STDOUT"
EXPECTED = b"".join(b"%d\t%s\n" % (n, b"x" * 100) for n in range(1, 20001))


# --- out ---------------------------------------------------------------------------------------------------------------
async def test_bytes(session: Any) -> None:
    assert await session.copy_to("COPY (SELECT 1, NULL, 'a,b') TO STDOUT (FORMAT csv)") == b'1,,"a,b"\n'
    assert await session.copy_to(OUT) == EXPECTED
    assert await session.copy_to("  -- a remark\n/* another */ copy (SELECT 1 WHERE false) TO STDOUT") == b""


async def test_blocks(session: Any, tmp_path: Path) -> None:
    file = io.BytesIO()
    assert await session.copy_to(OUT, file) == "COPY 20000"
    assert file.getvalue() == EXPECTED
    blocks: list[bytes] = []
    assert await session.copy_to(OUT, blocks.append) == "COPY 20000"
    assert b"".join(blocks) == EXPECTED and len(blocks) > 10 and max(map(len, blocks)) < 1 << 20
    with open(tmp_path / "out", "wb") as real:
        await session.copy_to(OUT, real)
    assert (tmp_path / "out").read_bytes() == EXPECTED


async def test_rows_of_a_query(session: Any, witness: psycopg.Connection[Any]) -> None:
    query = "SELECT n, n::text AS s, CASE WHEN n % 2 = 0 THEN n::numeric / 4 END AS q, ARRAY[n, NULL] AS a FROM generate_series(1, 5000) n"
    expected = await session.fetch(query)
    assert await session.copy_to(query) == expected
    assert await session.copy_to(query + " ; ", rows=dict) == await session.fetch(query, rows=dict)
    records = await session.copy_to(query, rows=barewire.pg.Record)
    assert records[4999]["s"] == "5000" and isinstance(records[0], barewire.pg.Record)
    assert await session.copy_to("SELECT 1 WHERE false") == []
    witness.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    assert await session.copy_to("SELECT 'ok'::mood, ARRAY['sad'::mood], now() - now()") == await session.fetch(
        "SELECT 'ok'::mood, ARRAY['sad'::mood], now() - now()"
    )


async def test_raw_binary(session: Any) -> None:
    query = "SELECT n FROM generate_series(1, 3) n"
    blocks: list[bytes] = []
    assert await session.copy_to(query, blocks.append) == "COPY 3"
    raw = b"".join(blocks)
    assert raw == await session.copy_to(f"COPY ({query}) TO STDOUT (FORMAT binary)") and raw.startswith(b"PGCOPY\n\xff\r\n\0")


async def test_the_servers_errors(session: Any) -> None:
    with pytest.raises(errors.UndefinedTable):
        await session.copy_to("COPY nowhere TO STDOUT")
    with pytest.raises(errors.UndefinedTable):
        await session.copy_to("SELECT * FROM nowhere")
    with pytest.raises(errors.DivisionByZero):
        await session.copy_to("COPY (SELECT 1 / (n - 15000) FROM generate_series(1, 20000) n) TO STDOUT")
    with pytest.raises(errors.DivisionByZero):
        await session.copy_to("SELECT 1 / (n - 15000) FROM generate_series(1, 20000) n")
    assert await session.fetchval("SELECT 1") == 1


async def test_wrong_arguments(session: Any, table: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="rows are decoded only from a query"):
        await session.copy_to("COPY t TO STDOUT", rows=dict)
    with pytest.raises(TypeError, match="write method"):
        await session.copy_to("COPY t TO STDOUT", 5)
    with pytest.raises(TypeError, match="must be a str"):
        await session.copy_to(b"COPY t TO STDOUT")
    with pytest.raises(psycopg.ProgrammingError):
        await session.copy_to("COPY t FROM STDIN")
    with pytest.raises(psycopg.ProgrammingError):
        await session.copy_from("COPY t TO STDOUT", b"")
    with pytest.raises(psycopg.ProgrammingError, match="copy_from needs"):
        await session.copy_from("INSERT INTO t VALUES (1)", b"")
    with pytest.raises(psycopg.Error):
        await session.copy_to("SELECT $1::int")
    with pytest.raises(psycopg.Error):
        await session.copy_to("INSERT INTO t VALUES (1)")
    assert await session.fetchval("SELECT count(*) FROM t") == 0


async def test_a_sink_that_fails(session: Any) -> None:
    seen: list[bytes] = []

    def broken(block: bytes) -> None:
        seen.append(block)
        if len(seen) == 3:
            raise LookupError("of the sink")

    with pytest.raises(LookupError, match="of the sink"):
        await session.copy_to(OUT, broken)
    assert len(seen) == 3 and await session.fetchval("SELECT 1") == 1
    with pytest.raises(psycopg.ProgrammingError, match="code that it calls itself"):
        await session.copy_to(OUT, lambda block: pg_faces.bare(session).fetchval("SELECT 1"))
    assert await session.fetchval("SELECT 1") == 1


async def test_a_value_that_cannot_be_read(session: Any) -> None:
    with pytest.raises(psycopg.DataError):
        await session.copy_to("SELECT CASE WHEN n = 9000 THEN 'infinity' ELSE '2020-01-01' END::date FROM generate_series(1, 10000) n")
    assert await session.fetchval("SELECT 1") == 1


async def test_timeout(session: Any) -> None:
    with pytest.raises(barewire.pg.StatementTimeout):
        await session.copy_to("COPY (SELECT pg_sleep(0.05) FROM generate_series(1, 1000)) TO STDOUT", timeout=0.2)
    with pytest.raises(barewire.pg.StatementTimeout):
        await session.copy_to("SELECT pg_sleep(20)::text", timeout=0.2)
    assert await session.fetchval("SELECT 1") == 1


# --- in ----------------------------------------------------------------------------------------------------------------
IN = "COPY t FROM STDIN (FORMAT csv)"


async def test_sources(session: Any, table: psycopg.Connection[Any], tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"6,f\n")
    assert await session.copy_from(IN, b"1,a\n2,\n") == "COPY 2"
    assert await session.copy_from(IN, bytearray(b"3,c\n")) == "COPY 1"
    assert await session.copy_from(IN, memoryview(b"4,d\n")) == "COPY 1"
    assert await session.copy_from(IN, io.BytesIO(b"5,e\n")) == "COPY 1"
    with open(tmp_path / "in", "rb") as file:
        assert await session.copy_from(IN, file) == "COPY 1"
    assert await session.copy_from(IN, [b"7,", b"", b"g", bytearray(b"\n8,h\n")]) == "COPY 2"
    assert await session.copy_from(IN, (b"%d,x\n" % n for n in range(9, 20))) == "COPY 11"
    assert await session.copy_from(IN, b"") == "COPY 0" == await session.copy_from(IN, [])
    assert content(table)[:9] == [(1, "a"), (2, None), (3, "c"), (4, "d"), (5, "e"), (6, "f"), (7, "g"), (8, "h"), (9, "x")]
    assert len(content(table)) == 19


async def test_large_and_binary(session: Any, table: psycopg.Connection[Any]) -> None:
    assert await session.copy_from("COPY t FROM STDIN", EXPECTED) == "COPY 20000"
    assert await session.copy_to("COPY t TO STDOUT") == EXPECTED
    raw = await session.copy_to("COPY t TO STDOUT (FORMAT binary)")
    await session.execute("TRUNCATE t")
    assert await session.copy_from("COPY t FROM STDIN (FORMAT binary)", raw) == "COPY 20000"
    assert await session.copy_to("COPY t TO STDOUT") == EXPECTED


async def test_sources_that_fail(session: Any, table: psycopg.Connection[Any]) -> None:
    def broken() -> Any:
        yield from (b"%d,x\n" % n for n in range(50_000))
        raise LookupError("of the generator")

    with pytest.raises(LookupError, match="of the generator"):
        await session.copy_from(IN, broken())
    for wrong in ("1,a\n", 5, None, ["1,a\n"], [b"1,a\n", 5]):
        with pytest.raises(TypeError):
            await session.copy_from(IN, wrong)
    with pytest.raises(errors.InvalidTextRepresentation) as raised:
        await session.copy_from(IN, b"1,a\nx,b\n")
    assert raised.value.diag.context.startswith("COPY t, line 2, column n")
    with pytest.raises(errors.BadCopyFileFormat):
        await session.copy_from(IN, b"1,a,further\n" * 100_000)
    assert content(table) == [] and await session.fetchval("SELECT 1") == 1


async def test_inside_a_transaction(session: Any, table: psycopg.Connection[Any]) -> None:
    with pytest.raises(errors.InvalidTextRepresentation):
        async with session.transaction():
            assert await session.copy_from(IN, b"1,a\n") == "COPY 1"
            assert await session.copy_to("COPY t TO STDOUT") == b"1\ta\n"
            assert content(table) == []
            await session.copy_from(IN, b"x,a\n")
    assert content(table) == [] and not session.in_transaction
    async with session.transaction():
        await session.copy_from(IN, b"1,a\n")
    assert content(table) == [(1, "a")]


async def test_asynchronous_blocks(pg_schema: str, table: psycopg.Connection[Any]) -> None:
    async def blocks() -> Any:
        yield b"1,a\n"
        yield b"2,b\n"

    made = await barewire.pg.connect_async(pg_schema)
    assert await made.copy_from(IN, blocks()) == "COPY 2"
    await made.close()
    assert len(content(table)) == 2
