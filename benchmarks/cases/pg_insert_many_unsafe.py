"""Question: how fast is the trusted bulk load, plain and with the keys given back?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.users import user, users
from benchmarks.harness.bars import at_most, near_native
from benchmarks.harness.case import Work
from benchmarks.harness.case_postgres import PostgresCase
from benchmarks.harness.stage_postgres import PostgresStage

SIZE = 50_000
COLUMNS = ("name", "email", "age", "city", "score", "active")
_DEFINITION = "name text, email text, age int, city text, score float8, active bool"
_INSERT = f"INSERT INTO pg_people ({', '.join(COLUMNS)}) VALUES ($1, $2, $3, $4, $5, $6)"


class InsertManyUnsafe(PostgresCase):
    unit = "call"
    collection = "pg_people"
    peers = ("asyncpg", "sqlalchemy", "barewire-pg", "barewire-pg-async", "native-pg")
    repetitions = 9
    quick_repetitions = 3
    name = f"pg_insert_many_unsafe/{SIZE}"
    question = (
        f"How fast is insert_many_unsafe of {SIZE:,} dicts of six fields? (asyncpg: copy_records_to_table; "
        "sqlalchemy: Core insert; native: COPY of prebuilt blocks)"
    )
    native = ("copy_people", SIZE)
    bars = [
        *at_most("barewire-pg-async", "asyncpg", wall=1.0),
        *at_most("barewire-pg-async", "sqlalchemy", wall=0.25),
        *near_native("barewire-pg", "barewire-pg-async", native="native-pg"),
    ]

    def prepare(self, stage: PostgresStage) -> None:
        stage.table(self.collection, f"id serial, {_DEFINITION}")
        stage.table("pg_people_right", _DEFINITION)
        stage.copy("pg_people_right", (user(index).values() for index in range(SIZE)))
        self._right = stage.digest("pg_people_right")

    def before(self, stage: PostgresStage, work: Work) -> None:
        stage.empty(self.collection)

    def load(self, peer: Any, work: Work) -> Any:
        return users(SIZE)

    async def asyncpg(self, peer: Any, connection: Any, work: Work) -> Any:
        records = (tuple(row.values()) for row in work.input)
        await connection.copy_records_to_table(self.collection, records=records, columns=COLUMNS)

    async def sqlalchemy(self, peer: Any, engine: Any, work: Work) -> Any:
        statement = self._table().insert()
        async with engine.begin() as connection:
            await connection.execute(statement, work.input)

    def _table(self) -> Any:
        import sqlalchemy

        types = (sqlalchemy.Text, sqlalchemy.Text, sqlalchemy.Integer, sqlalchemy.Text, sqlalchemy.Double, sqlalchemy.Boolean)
        columns = [sqlalchemy.Column(name, kind) for name, kind in zip(COLUMNS, types)]
        key = sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True)
        return sqlalchemy.Table(self.collection, sqlalchemy.MetaData(), key, *columns)

    def barewire(self, peer: Any, connection: Any, work: Work) -> Any:
        connection.insert_many_unsafe(self.collection, work.input)

    async def barewire_async(self, peer: Any, connection: Any, work: Work) -> Any:
        await connection.insert_many_unsafe(self.collection, work.input)

    def after(self, stage: PostgresStage, peer: Any, work: Work) -> dict[str, Any]:
        seen = {"stored": stage.count(self.collection)}
        return {**seen, "contents": stage.digest(self.collection, ", ".join(COLUMNS))} if work.thorough else seen

    def expected(self, work: Work) -> dict[str, Any]:
        return {"stored": SIZE, **({"contents": self._right} if work.thorough else {})}


class InsertManyUnsafeIds(InsertManyUnsafe):
    name = f"pg_insert_many_unsafe/{SIZE}_ids"
    question = f"The same with the new keys given back (asyncpg: fetchmany of INSERT ... RETURNING id; sqlalchemy: returning)?"
    peers = ("asyncpg", "sqlalchemy", "barewire-pg", "barewire-pg-async")
    native = None
    bars = [
        *at_most("barewire-pg-async", "asyncpg", wall=0.45),
        *at_most("barewire-pg-async", "sqlalchemy", wall=0.25),
    ]

    async def asyncpg(self, peer: Any, connection: Any, work: Work) -> Any:
        found = await connection.fetchmany(f"{_INSERT} RETURNING id", [tuple(row.values()) for row in work.input])
        return [record[0] for record in found]

    async def sqlalchemy(self, peer: Any, engine: Any, work: Work) -> Any:
        table = self._table()
        statement = table.insert().returning(table.c.id, sort_by_parameter_order=True)
        async with engine.begin() as connection:
            return (await connection.execute(statement, work.input)).scalars().all()

    def barewire(self, peer: Any, connection: Any, work: Work) -> Any:
        return connection.insert_many_unsafe(self.collection, work.input, returning="id")

    async def barewire_async(self, peer: Any, connection: Any, work: Work) -> Any:
        return await connection.insert_many_unsafe(self.collection, work.input, returning="id")

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return {"ids": _flat(result) == list(range(1, SIZE + 1))}

    def expected(self, work: Work) -> dict[str, Any]:
        return {**super().expected(work), "ids": True}


def _flat(ids: Any) -> list[Any]:
    """Keys, whether they come as values or as rows of one."""
    return [one[0] if isinstance(one, (tuple, list)) else one for one in ids]


CASES = [InsertManyUnsafe(), InsertManyUnsafeIds()]
