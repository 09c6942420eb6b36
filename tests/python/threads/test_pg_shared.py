# One blocking PostgreSQL connection in the hands of several threads.
from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors

import barewire.pg


def test_many_threads_share_one_connection(postgres_database: str) -> None:
    with barewire.pg.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, s text)")
        connection.executemany("INSERT INTO t VALUES ($1, $2)", [(i, f"s{i}") for i in range(200)])

        def work(number: int) -> int:
            for step in range(150):
                key = (number * 31 + step * 7) % 200
                assert connection.fetchrow("SELECT id, s FROM t WHERE id = $1", key) == (key, f"s{key}")
                if step % 10 == 0:
                    with pytest.raises(errors.DivisionByZero):
                        connection.fetchval("SELECT 1 / $1::int", 0)
                if step % 25 == 0:
                    assert len(connection.fetch("SELECT * FROM generate_series(1, 3000)")) == 3000
            return number

        with ThreadPoolExecutor(12) as pool:
            assert list(pool.map(work, range(12))) == list(range(12))


def test_threads_with_connections_of_their_own(postgres_database: str) -> None:
    def work(number: int) -> int:
        with barewire.pg.connect(postgres_database) as connection:
            connection.execute("CREATE TEMPORARY TABLE t (n int)")
            for step in range(100):
                assert connection.fetchval("SELECT $1::int", number * 1000 + step) == number * 1000 + step
            return int(connection.insert_many_unsafe("t", [(i,) for i in range(500)]))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [500] * 8


def test_a_thread_waits_while_another_uses_it(postgres_database: str) -> None:
    with barewire.pg.connect(postgres_database) as connection:
        ended: list[str] = []

        def slow() -> None:
            connection.fetchval("SELECT 1 FROM pg_sleep(0.4)")
            ended.append("slow")

        thread = threading.Thread(target=slow)
        thread.start()
        time.sleep(0.1)
        assert connection.fetchval("SELECT 2") == 2
        ended.append("quick")
        thread.join()
        assert ended == ["slow", "quick"]


def test_cancel_from_another_thread(postgres_database: str) -> None:
    with barewire.pg.connect(postgres_database) as connection:
        timer = threading.Timer(0.2, connection.cancel)
        timer.start()
        started = time.monotonic()
        with pytest.raises(errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")
        assert time.monotonic() - started < 2
        timer.join()
        assert connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("statement", ["SELECT pg_sleep(30)", "SELECT 1; SELECT pg_sleep(30)"])
def test_close_from_another_thread(statement: str, postgres_database: str) -> None:
    connection = barewire.pg.connect(postgres_database)
    raised: list[BaseException] = []

    def use() -> None:
        try:
            connection.execute(statement)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    started = time.monotonic()
    connection.close()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - started < 2 and not any(thread.is_alive() for thread in threads)
    assert [type(e) for e in raised] == [psycopg.OperationalError] * 3 and all("closed" in str(e) for e in raised)
    assert connection.closed


def test_a_callback_cannot_use_the_connection_it_serves(postgres_database: str) -> None:
    with barewire.pg.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE t (n int)")

        def rows() -> Any:
            yield (1,)
            yield (connection.fetchval("SELECT 2"),)

        for call in (
            lambda: connection.executemany("INSERT INTO t VALUES ($1)", rows()),
            lambda: connection.copy_records_to_table("t", records=rows()),
            lambda: connection.insert_many_unsafe("t", rows()),
        ):
            with pytest.raises(psycopg.ProgrammingError, match="cannot be used by"):
                call()
            assert connection.fetchval("SELECT count(*) FROM t") == 0


def test_transactions_of_one_thread_after_another(postgres_database: str) -> None:
    with barewire.pg.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE t (n int)")
        lock = threading.Lock()

        def work(number: int) -> None:
            for _ in range(20):
                with lock, connection.transaction():
                    connection.execute("INSERT INTO t VALUES ($1)", number)
                    connection.execute("INSERT INTO t VALUES ($1)", -number)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(1, 7)))
        assert connection.fetchrow("SELECT count(*), sum(n) FROM t") == (240, 0)
