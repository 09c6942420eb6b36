# Collection: PyMongo's, with the hot methods run by the engine; conditions of the fast path stand first in each.
"""Blocking collections. Generated from their asyncio twin by tools/gen_sync.py: change that file.

Each hot method takes the fast path when its `session` is None and the collection's plan allows it (see
`_commands.Plan`); everything else is PyMongo's own method over the same engine.
"""

from __future__ import annotations

from typing import Any

from pymongo.synchronous.collection import Collection as _Collection
from pymongo.synchronous.collection import ReturnDocument
from pymongo.results import BulkWriteResult, DeleteResult, InsertManyResult, InsertOneResult, UpdateResult

from barewire.mongo import _commands as commands
from barewire.mongo._cursor import CommandCursor, Cursor
from barewire.mongo._bulk import Bulk, InsertMany
from barewire.mongo._unsafe import UNSAFE_DOC, UnsafeInsertResult, insert_blocking


class Collection(_Collection):
    __doc__ = _Collection.__doc__

    _plan: commands.Plan | None = None

    def _open_plan(self) -> commands.Plan:
        """What the hot methods of this collection need, made on first use."""
        plan = self._plan
        if plan is None:
            plan = self._plan = commands.Plan(self, self._database._client._link)
        return plan

    def __getitem__(self, name: str) -> Collection:
        return Collection(
            self._database,
            f"{self._name}.{name}",
            False,
            self.codec_options,
            self.read_preference,
            self.write_concern,
            self.read_concern,
        )

    def with_options(
        self, codec_options=None, read_preference=None, write_concern=None, read_concern=None
    ) -> Collection:
        return Collection(
            self._database,
            self._name,
            False,
            codec_options or self.codec_options,
            read_preference or self.read_preference,
            write_concern or self.write_concern,
            read_concern or self.read_concern,
        )

    # --- reads ---------------------------------------------------------------------------------------------------------
    def find(self, *args: Any, **kwargs: Any) -> Cursor:
        return Cursor(self, *args, **kwargs)

    def find_one(self, filter: Any | None = None, *args: Any, **kwargs: Any) -> Any | None:
        plan = self._plan or self._open_plan()
        if plan.read_direct():
            if filter is not None and type(filter) is not dict and not commands.is_mapping(filter):
                filter = {"_id": filter}
            command = None
            if args or kwargs or (filter and ("query" in filter or "$query" in filter)):
                cursor = self.find(filter, *args, **kwargs).limit(-1)
                if commands.cursor_is_direct(cursor):
                    command = commands.find_command(cursor)
            else:
                command = {"find": plan.name, "filter": filter or {}, "limit": 1, "singleBatch": True}
                if plan.read_concern is not None:
                    command["readConcern"] = plan.read_concern
            if command is not None:
                return plan.read.run(command, commands.FIND_ONE)
        return super().find_one(filter, *args, **kwargs)

    def count_documents(
        self, filter: Any, session: Any = None, comment: Any | None = None, **kwargs: Any
    ) -> int:
        plan = self._plan or self._open_plan()
        if session is None and plan.read_direct():
            command = commands.count_command(plan, filter, comment, kwargs)
            found = plan.count.run(command, commands.COUNT)
            return found["n"] if found else 0
        return super().count_documents(filter, session, comment, **kwargs)

    def distinct(
        self,
        key: str,
        filter: Any | None = None,
        session: Any = None,
        comment: Any | None = None,
        hint: Any | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        plan = self._plan or self._open_plan()
        if session is None and plan.read_direct() and plan.plain_types:
            command = commands.distinct_command(plan, key, filter, comment, hint, kwargs)
            return (plan.read.run(command, commands.DISTINCT))["values"]
        return super().distinct(key, filter, session, comment, hint, **kwargs)

    def aggregate(
        self, pipeline: Any, session: Any = None, let: Any | None = None, comment: Any | None = None, **kwargs: Any
    ) -> Any:
        plan = self._plan or self._open_plan()
        if (
            session is None
            and plan.read_direct()
            and "explain" not in kwargs
            and not commands.pipeline_writes(pipeline)
        ):
            made = commands.Aggregation(plan, pipeline, let, comment, kwargs)
            batch = plan.read.run(made.command, commands.AGGREGATE)
            return CommandCursor.opened(
                self, plan.read, batch, made.batch_size or 0, made.max_await_time_ms, made.comment
            )
        return super().aggregate(pipeline, session, let, comment, **kwargs)

    # --- writes --------------------------------------------------------------------------------------------------------
    def insert_one(
        self,
        document: Any,
        bypass_document_validation: bool | None = None,
        session: Any = None,
        comment: Any | None = None,
    ) -> InsertOneResult:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct():
            ids: list[Any] = []
            command = commands.write_command(plan, "insert", True, bypass_document_validation, comment)
            plan.write.run_documents(command, commands.INSERT_ONE, "documents", (document,), 0, ids)
            return InsertOneResult(ids[0] if ids else None, True)
        return super().insert_one(document, bypass_document_validation, session, comment)

    def insert_many(
        self,
        documents: Any,
        ordered: bool = True,
        bypass_document_validation: bool | None = None,
        session: Any = None,
        comment: Any | None = None,
    ) -> InsertManyResult:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct():
            insert = InsertMany(plan, documents, ordered, bypass_document_validation, comment)
            while insert.unsent:
                insert.accept(
                    plan.write.run_documents(
                        insert.command, insert.flags, "documents", insert.documents, insert.offset, insert.ids
                    )
                )
            return insert.result()
        return super().insert_many(documents, ordered, bypass_document_validation, session, comment)

    def update_one(
        self,
        filter: Any,
        update: Any,
        upsert: bool = False,
        bypass_document_validation: bool | None = None,
        collation: Any | None = None,
        array_filters: Any | None = None,
        hint: Any | None = None,
        session: Any = None,
        let: Any | None = None,
        sort: Any | None = None,
        comment: Any | None = None,
    ) -> UpdateResult:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct():
            commands.check_filter(filter)
            commands.check_update(update)
            commands.check_array_filters(array_filters)
            commands.check_let(let)
            statement = commands.update_statement(
                filter, update, upsert, False, collation, array_filters, hint, sort
            )
            command = commands.write_command(plan, "update", True, bypass_document_validation, comment, let)
            reply = plan.write.run_documents(command, commands.WRITE_ONE, "updates", (statement,))
            return UpdateResult(commands.update_result(reply), True)
        return super().update_one(
            filter,
            update,
            upsert,
            bypass_document_validation,
            collation,
            array_filters,
            hint,
            session,
            let,
            sort,
            comment,
        )

    def replace_one(
        self,
        filter: Any,
        replacement: Any,
        upsert: bool = False,
        bypass_document_validation: bool | None = None,
        collation: Any | None = None,
        hint: Any | None = None,
        session: Any = None,
        let: Any | None = None,
        sort: Any | None = None,
        comment: Any | None = None,
    ) -> UpdateResult:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct():
            commands.check_filter(filter)
            commands.check_replacement(replacement)
            commands.check_let(let)
            statement = commands.update_statement(filter, replacement, upsert, False, collation, None, hint, sort)
            command = commands.write_command(plan, "update", True, bypass_document_validation, comment, let)
            reply = plan.write.run_documents(command, commands.WRITE_ONE, "updates", (statement,))
            return UpdateResult(commands.update_result(reply), True)
        return super().replace_one(
            filter,
            replacement,
            upsert,
            bypass_document_validation,
            collation,
            hint,
            session,
            let,
            sort,
            comment,
        )

    def update_many(
        self,
        filter: Any,
        update: Any,
        upsert: bool = False,
        array_filters: Any | None = None,
        bypass_document_validation: bool | None = None,
        collation: Any | None = None,
        hint: Any | None = None,
        session: Any = None,
        let: Any | None = None,
        comment: Any | None = None,
    ) -> UpdateResult:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct():
            commands.check_filter(filter)
            commands.check_update(update)
            commands.check_array_filters(array_filters)
            commands.check_let(let)
            statement = commands.update_statement(filter, update, upsert, True, collation, array_filters, hint, None)
            command = commands.write_command(plan, "update", True, bypass_document_validation, comment, let)
            reply = plan.write.run_documents(command, commands.WRITE_MANY, "updates", (statement,))
            return UpdateResult(commands.update_result(reply), True)
        return super().update_many(
            filter,
            update,
            upsert,
            array_filters,
            bypass_document_validation,
            collation,
            hint,
            session,
            let,
            comment,
        )

    def delete_one(
        self,
        filter: Any,
        collation: Any | None = None,
        hint: Any | None = None,
        session: Any = None,
        let: Any | None = None,
        comment: Any | None = None,
    ) -> DeleteResult:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct():
            return self._delete_direct(plan, filter, 1, collation, hint, let, comment)
        return super().delete_one(filter, collation, hint, session, let, comment)

    def delete_many(
        self,
        filter: Any,
        collation: Any | None = None,
        hint: Any | None = None,
        session: Any = None,
        let: Any | None = None,
        comment: Any | None = None,
    ) -> DeleteResult:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct():
            return self._delete_direct(plan, filter, 0, collation, hint, let, comment)
        return super().delete_many(filter, collation, hint, session, let, comment)

    def _delete_direct(
        self, plan: commands.Plan, filter: Any, limit: int, collation: Any, hint: Any, let: Any, comment: Any
    ) -> DeleteResult:
        commands.check_filter(filter)
        statement = commands.delete_statement(filter, limit, collation, hint)
        commands.check_delete_let(let)
        command = commands.write_command(plan, "delete", True, None, comment, let)
        flags = commands.WRITE_ONE if limit else commands.WRITE_MANY
        return DeleteResult(plan.write.run_documents(command, flags, "deletes", (statement,)), True)

    # --- find and modify -----------------------------------------------------------------------------------------------
    def find_one_and_delete(
        self,
        filter: Any,
        projection: Any | None = None,
        sort: Any | None = None,
        hint: Any | None = None,
        session: Any = None,
        let: Any | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> Any:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct() and plan.plain_types:
            options = {**kwargs, "remove": True} if comment is None else {**kwargs, "remove": True, "comment": comment}
            command = commands.find_and_modify_command(
                plan, filter, projection, sort, None, ReturnDocument.BEFORE, None, hint, let, options
            )
            if command is not None:
                return (plan.modify.run(command, commands.FIND_AND_MODIFY)).get("value")
        return super().find_one_and_delete(filter, projection, sort, hint, session, let, comment, **kwargs)

    def find_one_and_replace(
        self,
        filter: Any,
        replacement: Any,
        projection: Any | None = None,
        sort: Any | None = None,
        upsert: bool = False,
        return_document: bool = ReturnDocument.BEFORE,
        hint: Any | None = None,
        session: Any = None,
        let: Any | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> Any:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct() and plan.plain_types:
            commands.check_replacement(replacement)
            options = {**kwargs, "update": replacement}
            if comment is not None:
                options["comment"] = comment
            command = commands.find_and_modify_command(
                plan, filter, projection, sort, upsert, return_document, None, hint, let, options
            )
            if command is not None:
                return (plan.modify.run(command, commands.FIND_AND_MODIFY)).get("value")
        return super().find_one_and_replace(
            filter, replacement, projection, sort, upsert, return_document, hint, session, let, comment, **kwargs
        )

    def find_one_and_update(
        self,
        filter: Any,
        update: Any,
        projection: Any | None = None,
        sort: Any | None = None,
        upsert: bool = False,
        return_document: bool = ReturnDocument.BEFORE,
        array_filters: Any | None = None,
        hint: Any | None = None,
        session: Any = None,
        let: Any | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> Any:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct() and plan.plain_types:
            commands.check_update(update)
            commands.check_array_filters(array_filters)
            options = {**kwargs, "update": update}
            if comment is not None:
                options["comment"] = comment
            command = commands.find_and_modify_command(
                plan, filter, projection, sort, upsert, return_document, array_filters, hint, let, options
            )
            if command is not None:
                return (plan.modify.run(command, commands.FIND_AND_MODIFY)).get("value")
        return super().find_one_and_update(
            filter,
            update,
            projection,
            sort,
            upsert,
            return_document,
            array_filters,
            hint,
            session,
            let,
            comment,
            **kwargs,
        )

    # --- bulk ----------------------------------------------------------------------------------------------------------
    def bulk_write(
        self,
        requests: Any,
        ordered: bool = True,
        bypass_document_validation: bool | None = None,
        session: Any = None,
        comment: Any | None = None,
        let: Any | None = None,
    ) -> BulkWriteResult:
        plan = self._plan or self._open_plan()
        if session is None and plan.write_direct():
            bulk = Bulk(plan, requests, ordered, bypass_document_validation, comment, let)
            while bulk.unsent:
                bulk.accept(
                    plan.write.run_documents(bulk.command, bulk.flags, bulk.field, bulk.operations, bulk.offset)
                )
            return bulk.result()
        return super().bulk_write(requests, ordered, bypass_document_validation, session, comment, let)

    def insert_many_unsafe(
        self,
        documents: Any,
        *,
        ordered: bool = False,
        chunk: int = 2000,
        connections: int = 2,
        return_ids: bool = False,
    ) -> UnsafeInsertResult:
        return insert_blocking(self, documents, ordered, chunk, connections, return_ids)

    insert_many_unsafe.__doc__ = UNSAFE_DOC
