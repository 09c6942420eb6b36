# Notifications, notices and cancellation of both faces on both libpqs.
from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors

import barewire.pg


async def heard(session: Any, **options: Any) -> list[tuple[str, str]]:
    return [(n.channel, n.payload) async for n in session.notifications(**options)]


async def test_notifications(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("news")
    await session.listen('odd "name"')
    for payload in ("one", "", "ä"):
        witness.execute("SELECT pg_notify('news', %s)", (payload,))
    witness.execute("SELECT pg_notify('odd \"name\"', 'x')")
    found = await heard(session, timeout=5, stop_after=4)
    assert found == [("news", "one"), ("news", ""), ("news", "ä"), ('odd "name"', "x")]
    await session.unlisten("news")
    witness.execute("NOTIFY news")
    assert await heard(session, timeout=0.1) == []
    await session.unlisten()
    assert await session.fetch("SELECT * FROM pg_listening_channels()") == []


async def test_notifications_are_kept(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("news")
    for number in range(5):
        witness.execute(f"NOTIFY news, '{number}'")
    assert await session.fetchval("SELECT 1") == 1  # they come along with this
    assert await heard(session, timeout=5, stop_after=2) == [("news", "0"), ("news", "1")]
    assert await heard(session, timeout=0.2) == [("news", "2"), ("news", "3"), ("news", "4")]
    witness.execute("NOTIFY news, 'unasked'")
    await asyncio.sleep(0.1)
    assert await heard(session, timeout=0) == [("news", "unasked")]


async def test_own_notifications(session: Any) -> None:
    await session.listen("news")
    await session.execute("NOTIFY news, 'mine'")
    notification = [n async for n in session.notifications(timeout=5, stop_after=1)][0]
    assert isinstance(notification, psycopg.Notify) and notification.pid == session.backend_pid


async def test_statements_while_waiting(pg_schema: str, libpq: str, witness: psycopg.Connection[Any]) -> None:
    async with await barewire.pg.connect_async(pg_schema, libpq=libpq) as connection:
        await connection.listen("news")
        waiting = asyncio.ensure_future(heard(connection, timeout=20, stop_after=3))
        for number in range(3):
            await asyncio.sleep(0.02)
            assert await asyncio.gather(*(connection.fetchval("SELECT $1::int", i) for i in range(20))) == list(range(20))
            witness.execute(f"NOTIFY news, '{number}'")
        assert await waiting == [("news", "0"), ("news", "1"), ("news", "2")]
        cancelled = asyncio.ensure_future(heard(connection))
        await asyncio.sleep(0.02)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await connection.fetchval("SELECT 5") == 5


def test_threads_while_waiting(pg_schema: str, libpq: str, witness: psycopg.Connection[Any]) -> None:
    with barewire.pg.connect(pg_schema, libpq=libpq) as connection:
        connection.listen("news")
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.extend(connection.notifications(timeout=20, stop_after=2)))
        thread.start()
        for number in range(2):
            assert connection.fetchval("SELECT 5") == 5
            witness.execute(f"NOTIFY news, '{number}'")
        thread.join()
        assert [n.payload for n in found] == ["0", "1"]


async def test_the_end_while_waiting(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.listen("news")
    killer = threading.Timer(0.2, lambda: witness.execute("SELECT pg_terminate_backend(%s)", (session.backend_pid,)))
    killer.start()
    with pytest.raises(psycopg.OperationalError):
        await heard(session, timeout=20)
    killer.join()
    assert session.closed


async def test_notices(session: Any) -> None:
    seen: list[Any] = []
    session.add_notice_handler(seen.append)
    await session.execute("DO $$ BEGIN RAISE NOTICE 'hello %', 5 USING DETAIL = 'more', ERRCODE = '01234'; END $$")
    await session.execute("DO $$ BEGIN RAISE WARNING 'w'; END $$; SELECT 1")
    await session.execute("DROP TABLE IF EXISTS nowhere")
    assert [(d.severity, d.message_primary) for d in seen][:2] == [("NOTICE", "hello 5"), ("WARNING", "w")]
    assert seen[0].message_detail == "more" and seen[0].sqlstate == "01234" and seen[0].column_name is None
    assert seen[2].severity_nonlocalized == "NOTICE" and len(seen) == 3
    session.remove_notice_handler(seen.append)
    await session.execute("DROP TABLE IF EXISTS nowhere")
    assert len(seen) == 3
    with pytest.raises(ValueError):
        session.remove_notice_handler(seen.append)


async def test_a_notice_handler_that_raises(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: raised.append(info.exc_value))
    seen: list[Any] = []
    session.add_notice_handler(lambda diag: 1 / 0)
    session.add_notice_handler(seen.append)
    await session.execute("DROP TABLE IF EXISTS nowhere")
    assert len(seen) == 1 and isinstance(raised[0], ZeroDivisionError)


async def test_cancel(session: Any) -> None:
    canceller = threading.Timer(0.2, session.cancel)
    canceller.start()
    started = time.monotonic()
    with pytest.raises(errors.QueryCanceled, match="canceling statement due to user request"):
        await session.fetch("SELECT pg_sleep(20)")
    assert time.monotonic() - started < 10
    canceller.join()
    session.cancel()  # nothing runs
    await asyncio.sleep(0.1)
    assert await session.fetchval("SELECT 1") == 1


def test_close_from_another_thread(pg_schema: str, libpq: str) -> None:
    connection = barewire.pg.connect(pg_schema, libpq=libpq)
    closer = threading.Timer(0.2, connection.close)
    closer.start()
    with pytest.raises(psycopg.OperationalError, match="the connection is closed"):
        connection.fetch("SELECT pg_sleep(20)")
    closer.join()
    assert connection.closed


async def test_closed_with_statements_in_flight(pg_schema: str, libpq: str) -> None:
    connection = await barewire.pg.connect_async(pg_schema, libpq=libpq)
    waiting = [asyncio.ensure_future(connection.fetch("SELECT pg_sleep(20)")) for _ in range(3)]
    await asyncio.sleep(0.05)
    await connection.close()
    for error in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(error, psycopg.OperationalError) and "the connection is closed" in str(error)


async def test_on_another_event_loop(pg_schema: str) -> None:
    connection = await barewire.pg.connect_async(pg_schema)
    running = asyncio.ensure_future(connection.fetch("SELECT pg_sleep(0.5)"))
    await asyncio.sleep(0.05)

    async def other() -> Any:
        return await connection.fetchval("SELECT 1")

    with pytest.raises(psycopg.InterfaceError, match="in use on another event loop"):
        await asyncio.to_thread(asyncio.run, other())
    await running
    assert await asyncio.to_thread(asyncio.run, other()) == 1  # one after the other is fine
    assert await connection.fetchval("SELECT 2") == 2
    await connection.close()
