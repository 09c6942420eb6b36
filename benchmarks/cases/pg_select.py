"""Question: how fast is one row selected by its key, by one caller, and 100 of them in one batch?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.rows import USERS_COLUMNS, user_row
from benchmarks.data.users import visit_order
from benchmarks.harness.bars import at_most, near_native
from benchmarks.harness.case import Work
from benchmarks.harness.case_postgres import PostgresCase
from benchmarks.harness.digest_rows import first_column_digest, rows_digest
from benchmarks.harness.stage_postgres import PostgresStage

USERS = 10_000
COLUMNS = "id, name, email, age, city, score, active"
BY_NUMBER = f"SELECT {COLUMNS} FROM pg_users WHERE id = $1"
BY_FORMAT = f"SELECT {COLUMNS} FROM pg_users WHERE id = %s"


class SelectOne(PostgresCase):
    name = "pg_select/one"
    question = "How fast is one row selected by its key, one caller, autocommit?"
    unit = "select"
    count = None
    native = ("select_one", USERS)
    collection = "pg_users"
    bars = [
        *at_most("barewire-pg", "psycopg", wall=0.45, cpu=0.3),
        *at_most("barewire-pg-async", "asyncpg", wall=0.8, cpu=0.65),
        # The floor reads the reply without building a row, so its ratio is stated, not demanded.
        *near_native("barewire-pg", "barewire-pg-async", threshold=None, native="native-pg"),
    ]

    def prepare(self, stage: PostgresStage) -> None:
        stage.table(self.collection, USERS_COLUMNS)
        stage.copy(self.collection, map(user_row, range(USERS)))

    def load(self, peer: Any, work: Work) -> Any:
        return visit_order(work.count, USERS)

    def psycopg(self, peer: Any, connection: Any, work: Work) -> Any:
        execute = connection.execute
        return [execute(BY_FORMAT, (wanted,)).fetchone() for wanted in work.input]

    async def psycopg_async(self, peer: Any, connection: Any, work: Work) -> Any:
        execute = connection.execute
        return [await (await execute(BY_FORMAT, (wanted,))).fetchone() for wanted in work.input]

    async def asyncpg(self, peer: Any, connection: Any, work: Work) -> Any:
        fetchrow = connection.fetchrow
        return [await fetchrow(BY_NUMBER, wanted) for wanted in work.input]

    def barewire(self, peer: Any, connection: Any, work: Work) -> Any:
        fetchrow = connection.fetchrow
        return [fetchrow(BY_NUMBER, wanted) for wanted in work.input]

    async def barewire_async(self, peer: Any, connection: Any, work: Work) -> Any:
        fetchrow = connection.fetchrow
        return [await fetchrow(BY_NUMBER, wanted) for wanted in work.input]

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return {"rows": rows_digest(result)}

    def expected(self, work: Work) -> dict[str, Any]:
        wanted = visit_order(work.count, USERS)
        return {"rows": rows_digest(map(user_row, wanted)), "digest": first_column_digest(wanted)}


class SelectBatch(SelectOne):
    batch = 100
    name = f"pg_select/batch_{batch}"
    question = f"How fast are {batch} selects by key in one batch? (asyncpg: fetchrow one after another; it has no batch)"
    count_multiple = batch
    native = ("select_batch", batch)
    bars = [
        *at_most("barewire-pg", "psycopg", wall=0.3, cpu=0.12),
        *at_most("barewire-pg-async", "psycopg-async", wall=0.3, cpu=0.12),
        *near_native("barewire-pg", "barewire-pg-async", threshold=None, native="native-pg"),
    ]

    def batches(self, work: Work) -> list[list[int]]:
        return [work.input[start : start + self.batch] for start in range(0, work.count, self.batch)]

    def psycopg(self, peer: Any, connection: Any, work: Work) -> Any:
        found = []
        for batch in self.batches(work):
            with connection.pipeline():
                cursors = [connection.execute(BY_FORMAT, (wanted,)) for wanted in batch]
                found += [cursor.fetchone() for cursor in cursors]
        return found

    async def psycopg_async(self, peer: Any, connection: Any, work: Work) -> Any:
        found = []
        for batch in self.batches(work):
            async with connection.pipeline():
                cursors = [await connection.execute(BY_FORMAT, (wanted,)) for wanted in batch]
                found += [await cursor.fetchone() for cursor in cursors]
        return found

    def barewire(self, peer: Any, connection: Any, work: Work) -> Any:
        found = []
        for wanted in self.batches(work):
            batch = connection.batch(transaction=False)
            for key in wanted:
                batch.fetchrow(BY_NUMBER, key)
            found += batch.run()
        return found

    async def barewire_async(self, peer: Any, connection: Any, work: Work) -> Any:
        found = []
        for wanted in self.batches(work):
            batch = connection.batch(transaction=False)
            for key in wanted:
                batch.fetchrow(BY_NUMBER, key)
            found += await batch.run()
        return found


CASES = [SelectOne(), SelectBatch()]
