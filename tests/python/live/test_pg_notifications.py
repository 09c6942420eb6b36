# LISTEN and NOTIFY, and handlers of notices.
from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors

import barewire.pg


async def take(session: Any, count: int, timeout: float = 5) -> list[tuple[str, str]]:
    return [(n.channel, n.payload) async for n in session.notifications(timeout=timeout, stop_after=count)]


async def test_notifications(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("first")
    await session.listen('Second "x"')
    witness.execute("NOTIFY first, 'a'")
    witness.execute("NOTIFY \"Second \"\"x\"\"\", 'b'")
    witness.execute("NOTIFY first")
    witness.execute("NOTIFY other, 'c'")
    assert await take(session, 3) == [("first", "a"), ('Second "x"', "b"), ("first", "")]
    assert await take(session, 1, timeout=0.1) == []
    await session.unlisten("first")
    witness.execute("NOTIFY first, 'gone'; NOTIFY \"Second \"\"x\"\"\", 'd'")
    assert await take(session, 1) == [('Second "x"', "d")]
    await session.unlisten()
    witness.execute("NOTIFY \"Second \"\"x\"\"\", 'e'")
    assert await take(session, 1, timeout=0.1) == []
    with pytest.raises(psycopg.ProgrammingError):
        await session.listen("")


async def test_what_a_notification_is(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("c")
    witness.execute("SELECT pg_notify('c', %s)", ["ä€" * 1000])
    async for notification in session.notifications(timeout=5):
        assert isinstance(notification, psycopg.Notify)
        assert (notification.channel, notification.payload, notification.pid) == ("c", "ä€" * 1000, witness.info.backend_pid)
        break
    else:
        pytest.fail("none has come")


async def test_ones_own(session: Any) -> None:
    await session.listen("c")
    await session.execute("NOTIFY c, '1'")
    async with session.transaction():
        await session.fetch("SELECT pg_notify('c', $1)", "2")
        assert await take(session, 5, timeout=0.05) == [("c", "1")]
    assert await take(session, 1) == [("c", "2")]
    async with session.transaction():
        await session.execute("NOTIFY c, '3'")
        raise psycopg.Rollback
    assert await take(session, 1, timeout=0.05) == []


async def test_those_that_come_with_other_statements(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("c")
    for number in range(500):
        witness.execute("SELECT pg_notify('c', %s)", [str(number)])
        if number % 50 == 0:
            assert await session.fetchval("SELECT 1") == 1
    assert await take(session, 500) == [("c", str(number)) for number in range(500)]


async def test_statements_between_two(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("c")
    for number in range(3):
        witness.execute("SELECT pg_notify('c', %s)", [str(number)])
    seen = []
    async for notification in session.notifications(timeout=5, stop_after=3):
        seen.append(await session.fetchval("SELECT $1::text", notification.payload))
    assert seen == ["0", "1", "2"]


async def test_rest_is_kept_when_the_loop_is_left(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("c")
    witness.execute("BEGIN; NOTIFY c, '1'; NOTIFY c, '2'; NOTIFY c, '3'; COMMIT")
    assert await take(session, 1) == [("c", "1")]
    assert await take(session, 2) == [("c", "2"), ("c", "3")]
    witness.execute("BEGIN; NOTIFY c, '4'; NOTIFY c, '5'; COMMIT")
    found = session.notifications(timeout=5)
    async for _ in found:
        break
    await found.aclose()
    assert await take(session, 1) == [("c", "5")]


async def test_none_when_the_time_is_over(session: Any) -> None:
    began = time.monotonic()
    assert await take(session, 1, timeout=0.2) == []
    assert 0.15 < time.monotonic() - began < 5
    assert await take(session, 0) == []
    with pytest.raises(ValueError, match="not negative"):
        await take(session, 1, timeout=-1)


async def test_a_lost_connection_ends_the_waiting(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("c")
    killer = threading.Timer(0.3, lambda: witness.execute("SELECT pg_terminate_backend(%s)", [pid]))
    pid = session.backend_pid
    killer.start()
    with pytest.raises(psycopg.OperationalError):
        await take(session, 1, timeout=20)
    killer.join()
    assert session.closed


async def test_other_tasks_use_the_connection(pg_schema: str, libpq: str, witness: psycopg.Connection[Any]) -> None:
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)
    await made.listen("c")
    waiting = asyncio.create_task(take(made, 2, timeout=20))
    other = asyncio.create_task(take(made, 1, timeout=20))
    await asyncio.sleep(0.05)
    assert await made.fetchval("SELECT 1") == 1
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other
    await made.execute("NOTIFY c, 'own'")
    await asyncio.to_thread(witness.execute, "NOTIFY c, 'foreign'")
    assert await asyncio.wait_for(waiting, 10) == [("c", "own"), ("c", "foreign")]
    closing = asyncio.create_task(take(made, 1, timeout=20))
    await asyncio.sleep(0.05)
    await made.close()
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(closing, 10)


def test_other_threads_use_the_connection(pg_schema: str, libpq: str) -> None:
    made = barewire.pg.connect(pg_schema, libpq=libpq)
    made.listen("c")
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.extend(n.payload for n in made.notifications(timeout=10, stop_after=20)))
    thread.start()
    for number in range(20):
        assert made.fetchval("SELECT $1::int", number) == number
        made.execute(f"NOTIFY c, '{number}'")
    thread.join(20)
    assert seen == [str(number) for number in range(20)]
    made.close()


# --- notices -----------------------------------------------------------------------------------------------------------
RAISE = "DO $$ BEGIN RAISE {} 'it says %', 'ä' USING DETAIL = 'more', HINT = 'help', ERRCODE = '01ABC'; END $$"


async def test_notices(session: Any) -> None:
    seen: list[errors.Diagnostic] = []
    session.add_notice_handler(seen.append)
    await session.execute(RAISE.format("WARNING"))
    assert len(seen) == 1
    told = seen[0]
    assert (told.severity, told.sqlstate, told.message_primary) == ("WARNING", "01ABC", "it says ä")
    assert (told.message_detail, told.message_hint, told.table_name) == ("more", "help", None)
    await session.execute(RAISE.format("NOTICE"))
    await session.execute(RAISE.format("LOG"))  # below client_min_messages
    assert [each.severity for each in seen] == ["WARNING", "NOTICE"]
    await session.execute("DROP TABLE IF EXISTS none_such; DROP TABLE IF EXISTS none_other")
    assert len(seen) == 4
    with pytest.raises(ValueError):
        session.remove_notice_handler(len)


async def test_handlers_come_and_go(session: Any) -> None:
    first: list[Any] = []
    second: list[Any] = []

    def one(told: Any) -> None:
        first.append(told)

    session.add_notice_handler(one)
    session.add_notice_handler(second.append)
    await session.execute(RAISE.format("NOTICE"))
    session.remove_notice_handler(one)
    await session.execute(RAISE.format("NOTICE"))
    assert (len(first), len(second)) == (1, 2)


async def test_a_handler_that_fails(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    def broken(_: Any) -> None:
        raise LookupError("of the handler")

    session.add_notice_handler(broken)
    session.add_notice_handler(seen.append)
    await session.execute(RAISE.format("NOTICE"))
    assert len(seen) == 1 and len(told) == 1 and isinstance(told[0].exc_value, LookupError) and told[0].object is broken
    assert await session.fetchval("SELECT 1") == 1


async def test_notices_of_a_statement_that_fails(session: Any) -> None:
    seen: list[Any] = []
    session.add_notice_handler(seen.append)
    with pytest.raises(errors.RaiseException):
        await session.execute("DO $$ BEGIN RAISE NOTICE 'before'; RAISE EXCEPTION 'fails'; END $$")
    assert [each.message_primary for each in seen] == ["before"]


async def test_a_handler_may_use_a_blocking_connection(pg_schema: str) -> None:
    made = barewire.pg.connect(pg_schema)
    seen: list[Any] = []
    made.add_notice_handler(lambda told: seen.append(made.fetchval("SELECT $1::text", told.message_primary)))
    made.execute(RAISE.format("NOTICE"))
    assert seen == ["it says ä"]
    made.close()
