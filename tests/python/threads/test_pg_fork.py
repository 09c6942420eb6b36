# fork with PostgreSQL connections: the child opens its own and says nothing on the parent's.
from __future__ import annotations

import pytest
from pg_programs import run


def test_fork_the_child_opens_its_own_and_the_parents_is_untouched(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = barewire.pg.connect(DSN)
        connection.execute("CREATE TABLE t (n int)")
        mine = connection.backend_pid
        transaction = connection.transaction()
        transaction.start()
        connection.execute("INSERT INTO t VALUES (1)")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                try:
                    connection.fetchval("SELECT 1")
                except psycopg.OperationalError as error:
                    assert "closed" in str(error), error
                else:
                    raise AssertionError("the parent's connection was used")
                assert connection.closed
                connection.close()
                with barewire.pg.connect(DSN) as own:
                    assert own.backend_pid != mine
                    assert own.fetchval("SELECT count(*) FROM t") == 0  # not committed
                    own.execute("CREATE TABLE of_the_child (n int)")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert connection.backend_pid == mine and connection.in_transaction
        connection.execute("INSERT INTO t VALUES (2)")
        transaction.commit()
        assert connection.fetch("SELECT n FROM t ORDER BY n") == [(1,), (2,)]
        assert connection.fetchval("SELECT count(*) FROM of_the_child") == 0
        connection.close()
        print("end")
    """, postgres_database)


@pytest.mark.parametrize("ending", ["sys.exit(0)", "os._exit(0)", "gc.collect(); sys.exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_fork_a_child_that_ends_says_nothing(ending: str, postgres_database: str) -> None:
    code = -9 if "SIGKILL" in ending else 0
    run(f"""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = barewire.pg.connect(DSN)
        connection.execute("CREATE TEMPORARY TABLE t (n int)")
        for _ in range(4):
            pid = os.fork()
            if pid == 0:
                {ending}
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == {code}
            connection.execute("INSERT INTO t VALUES (1)")
        assert connection.fetchval("SELECT count(*) FROM t") == 4
        connection.close()
        print("end")
    """, postgres_database)


def test_fork_the_parents_close_ends_the_session_while_the_child_lives(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = barewire.pg.connect(DSN)
        mine = connection.backend_pid
        pid = os.fork()
        if pid == 0:
            time.sleep(20)
            os._exit(0)
        connection.close()
        with barewire.pg.connect(DSN) as witness:
            for _ in range(60):
                if witness.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", mine) == 0: break
                time.sleep(0.05)
            else:
                raise AssertionError("the session lives on")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        print("end")
    """, postgres_database)


def test_fork_with_threads_at_work(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        shared = barewire.pg.connect(DSN)
        stop = threading.Event()
        failures = []
        def work(number):
            try:
                with barewire.pg.connect(DSN) as own:
                    step = 0
                    while not stop.is_set():
                        step += 1
                        assert own.fetchval("SELECT $1::int", step) == step
                        assert shared.fetchval("SELECT $1::int", step * number) == step * number
            except BaseException as error:
                failures.append(error)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for t in threads: t.start()
        time.sleep(0.1)
        children = []
        for _ in range(12):
            pid = os.fork()
            if pid == 0:
                try:
                    assert shared.closed
                    try:
                        shared.fetchval("SELECT 1")  # another thread of the parent is inside, perhaps
                    except psycopg.OperationalError:
                        pass
                    shared.close()
                    with barewire.pg.connect(DSN) as own:
                        assert own.fetchval("SELECT 5") == 5
                        own.execute("SELECT pg_sleep(0.05)")
                except BaseException as error:
                    print(repr(error), file=sys.stderr)
                    os._exit(3)
                sys.exit(0)
            children.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        stop.set()
        for t in threads: t.join()
        assert not failures, failures
        assert codes == [0] * 12, codes
        shared.close()
        print("end")
    """, postgres_database)


def test_fork_inside_a_running_loop(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        async def child():
            async with await barewire.pg.connect_async(DSN) as own:
                return await asyncio.gather(*(own.fetchval("SELECT $1::int", i) for i in range(10)))
        async def main():
            connection = await barewire.pg.connect_async(DSN)
            slow = asyncio.ensure_future(connection.fetchval("SELECT 8 FROM pg_sleep(0.5)"))
            await asyncio.sleep(0.05)
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    asyncio._set_running_loop(None)
                    assert connection.closed
                    assert asyncio.run(child()) == list(range(10))
                    code = 0
                except BaseException as error:
                    print(repr(error), file=sys.stderr)
                finally:
                    os._exit(code)
            code = await asyncio.get_running_loop().run_in_executor(None, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            assert code == 0, code
            assert await slow == 8
            assert await connection.fetchval("SELECT 9") == 9
            await connection.close()
        asyncio.run(main())
        print("end")
    """, postgres_database)


def test_multiprocessing_by_fork(postgres_database: str) -> None:
    run("""
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = barewire.pg.connect(DSN)
        def work(number):
            with barewire.pg.connect(DSN) as own:
                return own.fetchval("SELECT $1::int * 2", number)
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(work, range(10)) == [i * 2 for i in range(10)]
        assert connection.fetchval("SELECT 1") == 1
        connection.close()
        print("end")
    """, postgres_database)
