# Real processes: fork, interpreter exit in every state, Ctrl-C; each ends in time, with the right code and a silent stderr.
from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

HEAD = """
import asyncio, os, signal, sys, threading, time
import barewire.mongo
URI, NAME = sys.argv[1:3]
# Programs that a shell starts in the background inherit that SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


def run(body: str, uri: str, name: str, *, code: int = 0, limit: float = 2.0, silent: bool = True) -> str:
    """Runs a program; `limit` is for the time between its line "end" on stdout and its exit."""
    program = HEAD + textwrap.dedent(body)
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-u", "-c", program, uri, name],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    try:
        output, errors = "", ""
        assert process.stdout is not None
        ended = None
        for line in process.stdout:
            output += line
            if line == "end\n":
                ended = time.monotonic()
        _, errors = process.communicate(timeout=30)
        finished = time.monotonic()
    finally:
        process.kill()
    assert process.returncode == code, (process.returncode, output, errors)
    if silent:
        assert errors == ""
    assert ended is not None, output
    assert finished - ended < limit, f"exit took {finished - ended:.1f} s"
    return output


@pytest.mark.parametrize("state", [
    "pass",
    "client = barewire.mongo.MongoClient(URI)",
    "client = barewire.mongo.MongoClient(URI); client[NAME].c.find_one(); client.close()",
    "client = barewire.mongo.AsyncMongoClient(URI)",
], ids=["import", "unused", "closed", "unused-async"])
def test_exit_when_idle(state: str, mongo_uri: str, database_name: str) -> None:
    run(f"{state}\nprint('end')", mongo_uri, database_name)


def test_exit_never_closed(mongo_uri: str, database_name: str) -> None:
    # PyMongo warns of a client that was used and never closed; nothing else may be said.
    run("client = barewire.mongo.MongoClient(URI); client[NAME].c.find_one()\nprint('end')", mongo_uri, database_name, silent=False)


def test_exit_never_closed_async(mongo_uri: str, database_name: str) -> None:
    run("""
        client = barewire.mongo.AsyncMongoClient(URI)
        async def main():
            await client[NAME].c.find_one()
        asyncio.run(main())
        print("end")
    """, mongo_uri, database_name, silent=False)


def test_exit_with_operations_in_flight(mongo_uri: str, database_name: str) -> None:
    run("""
        client = barewire.mongo.AsyncMongoClient(URI)
        async def main():
            await client[NAME].c.insert_one({})
            for _ in range(5):
                asyncio.ensure_future(client[NAME].c.find_one({"$where": "sleep(3000) || true"}))
            await asyncio.sleep(0.05)
            print("end")
            os._exit(0) if "hard" in sys.argv else sys.exit(0)
        asyncio.run(main())
    """, mongo_uri, database_name, silent=False)


def test_exit_with_a_thread_waiting_for_a_reply(mongo_uri: str, database_name: str) -> None:
    run("""
        client = barewire.mongo.MongoClient(URI)
        client[NAME].c.insert_one({})
        def wait():
            try:
                client[NAME].c.find_one({"$where": "sleep(5000) || true"})
            except Exception:
                pass
        threading.Thread(target=wait, daemon=True).start()
        time.sleep(0.2)
        print("end")
    """, mongo_uri, database_name, silent=False)


def test_exit_while_nobody_answers(database_name: str) -> None:
    run("""
        client = barewire.mongo.MongoClient("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300")
        try:
            client[NAME].c.find_one()
        except Exception as error:
            print(type(error).__name__)
        print("end")
    """, "unused", database_name, silent=False)


def test_exception_at_import(mongo_uri: str, database_name: str, tmp_path: object) -> None:
    run("""
        client = barewire.mongo.MongoClient(URI)
        client[NAME].c.find_one()
        print("end")
        raise SystemExit(7)
    """, mongo_uri, database_name, code=7, silent=False)


def test_fork_child_works_and_parent_is_untouched(mongo_uri: str, database_name: str) -> None:
    output = run("""
        import warnings
        warnings.simplefilter("ignore")
        client = barewire.mongo.MongoClient(URI)
        c = client[NAME].c
        c.insert_many([{"_id": i} for i in range(100)])
        cursor = c.find({}, batch_size=10)
        first = cursor.next()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert c.find_one({"_id": 3}) == {"_id": 3}
                c.insert_one({"_id": "child"})
                assert client.admin.command("ping")["ok"] == 1
                assert len(c.find().to_list()) == 101
                code = 0
            finally:
                os._exit(code)
        for i in range(50):
            assert c.find_one({"_id": i}) == {"_id": i}
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
        assert len(list(cursor)) in (99, 100)
        assert c.find_one({"_id": "child"}) == {"_id": "child"}
        client.close()
        print("end")
    """, mongo_uri, database_name)
    assert output.endswith("end\n")


def test_fork_with_threads_at_work_and_normal_exit_of_the_child(mongo_uri: str, database_name: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore")
        client = barewire.mongo.MongoClient(URI, maxPoolSize=4)
        c = client[NAME].c
        c.insert_many([{"_id": i} for i in range(100)])
        stop = threading.Event()
        failures = []
        def work():
            i = 0
            while not stop.is_set():
                i = (i + 7) % 100
                try:
                    assert c.find_one({"_id": i}) == {"_id": i}
                except BaseException as error:
                    failures.append(error)
                    return
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads: t.start()
        children = []
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                assert c.find_one({"_id": 5}) == {"_id": 5}
                client.close()
                sys.exit(0)
            children.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        stop.set()
        for t in threads: t.join()
        assert not failures, failures
        assert codes == [0] * 5, codes
        client.close()
        print("end")
    """, mongo_uri, database_name, silent=False)


def test_fork_of_an_async_client(mongo_uri: str, database_name: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore")
        client = barewire.mongo.AsyncMongoClient(URI)
        async def main():
            await client[NAME].c.insert_one({"_id": os.getpid()})
            return await client[NAME].c.find_one({"_id": os.getpid()})
        assert asyncio.run(main())
        pid = os.fork()
        if pid == 0:
            try:
                code = 0 if asyncio.run(main()) == {"_id": os.getpid()} else 3
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                code = 4
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        async def end():
            assert await client[NAME].c.count_documents({}) == 2
            await client.close()
        asyncio.run(end())
        print("end")
    """, mongo_uri, database_name)


@pytest.mark.parametrize("call", [
    "client[NAME].c.find_one({'$where': 'sleep(20000) || true'})",
    "client[NAME].c.find({'$where': 'sleep(20000) || true'}).to_list()",
    "client[NAME].command('count', 'c', query={'$where': 'sleep(20000) || true'})",
])
def test_control_c_interrupts_a_blocking_call(call: str, mongo_uri: str, database_name: str) -> None:
    program = HEAD + textwrap.dedent(f"""
        client = barewire.mongo.MongoClient(URI)
        client[NAME].c.insert_one({{"_id": 1}})
        print("waiting")
        try:
            {call}
        except KeyboardInterrupt:
            assert client[NAME].c.find_one({{"_id": 1}}) == {{"_id": 1}}
            client.close()
            print("interrupted")
    """)
    process = subprocess.Popen([sys.executable, "-X", "dev", "-u", "-c", program, mongo_uri, database_name],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        started = time.monotonic()
        output, errors = process.communicate(timeout=15)
        assert (output, errors, process.returncode) == ("interrupted\n", "", 0)
        assert time.monotonic() - started < 5
    finally:
        process.kill()


def test_control_c_while_selecting_a_server(database_name: str) -> None:
    program = HEAD + textwrap.dedent("""
        client = barewire.mongo.MongoClient("mongodb://127.0.0.1:1/")
        print("waiting")
        try:
            client[NAME].c.find_one()
        except KeyboardInterrupt:
            client.close()
            print("interrupted")
    """)
    process = subprocess.Popen([sys.executable, "-X", "dev", "-u", "-c", program, "unused", database_name],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=10)
        assert (output, errors, process.returncode) == ("interrupted\n", "", 0)
    finally:
        process.kill()
