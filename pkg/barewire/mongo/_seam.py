# Every private name of PyMongo that Barewire touches, and nothing else: the other modules import them from here.
"""The seam to PyMongo (4.13 to 4.x): contract-tested by tests/python/contract/test_pymongo_seam.py."""

from __future__ import annotations

from pymongo import _csot
from pymongo.asynchronous.bulk import _AsyncBulk
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.monitor import Monitor as AsyncMonitor
from pymongo.asynchronous.monitor import MonitorBase as AsyncMonitorBase
from pymongo.asynchronous.pool import AsyncConnection
from pymongo.asynchronous.pool import Pool as AsyncPool
from pymongo.asynchronous.topology import Topology as AsyncTopology
from pymongo.bulk_shared import _COMMANDS, _merge_command, _raise_bulk_write_error, _Run
from pymongo.collation import validate_collation_or_none
from pymongo.common import (
    validate_is_document_type,
    validate_is_mapping,
    validate_list,
    validate_list_or_none,
    validate_non_negative_integer_or_none,
    validate_ok_for_replace,
    validate_ok_for_update,
)
from pymongo.cursor_shared import _CURSOR_CLOSED_ERRORS, _QUERY_OPTIONS
from pymongo.helpers_shared import (
    _RETRYABLE_ERROR_CODES,
    _check_command_response,
    _check_write_command_response,
    _fields_list_to_dict,
    _index_document,
)
from pymongo.logger import _COMMAND_LOGGER
from pymongo.message import _COMMAND_OVERHEAD, _CursorAddress, _gen_find_command, _raise_document_too_large
from pymongo.pool_shared import SSLErrors, _get_timeout_details, _raise_connection_failure
from pymongo.read_preferences import _ServerMode
from pymongo.synchronous.bulk import _Bulk
from pymongo.synchronous.client_session import ClientSession
from pymongo.synchronous.monitor import Monitor, MonitorBase
from pymongo.synchronous.pool import Connection, Pool
from pymongo.synchronous.topology import Topology
from pymongo.topology_description import TopologyDescription, updated_topology_description
from pymongo.write_concern import validate_boolean

try:  # moved in 4.17
    from pymongo.mongo_client_shared import _add_retryable_write_error
except ImportError:
    from pymongo.asynchronous.mongo_client import _add_retryable_write_error

try:  # `session.bind()`, 4.17
    from pymongo.asynchronous.client_session import _SESSION as ASYNC_BOUND_SESSION
    from pymongo.synchronous.client_session import _SESSION as BOUND_SESSION
except ImportError:
    ASYNC_BOUND_SESSION = BOUND_SESSION = None

# The time left of a `pymongo.timeout()` block: a context variable whose value is None outside of one.
TIMEOUT = _csot.TIMEOUT

__all__ = [
    "ASYNC_BOUND_SESSION",
    "BOUND_SESSION",
    "TIMEOUT",
    "AsyncClientSession",
    "AsyncConnection",
    "AsyncMonitor",
    "AsyncMonitorBase",
    "AsyncPool",
    "AsyncTopology",
    "ClientSession",
    "Connection",
    "Monitor",
    "MonitorBase",
    "Pool",
    "SSLErrors",
    "Topology",
    "TopologyDescription",
    "_AsyncBulk",
    "_Bulk",
    "_COMMANDS",
    "_COMMAND_LOGGER",
    "_COMMAND_OVERHEAD",
    "_CURSOR_CLOSED_ERRORS",
    "_CursorAddress",
    "_QUERY_OPTIONS",
    "_RETRYABLE_ERROR_CODES",
    "_Run",
    "_ServerMode",
    "_add_retryable_write_error",
    "_check_command_response",
    "_check_write_command_response",
    "_fields_list_to_dict",
    "_gen_find_command",
    "_get_timeout_details",
    "_index_document",
    "_merge_command",
    "_raise_bulk_write_error",
    "_raise_connection_failure",
    "_raise_document_too_large",
    "updated_topology_description",
    "validate_boolean",
    "validate_collation_or_none",
    "validate_is_document_type",
    "validate_is_mapping",
    "validate_list",
    "validate_list_or_none",
    "validate_non_negative_integer_or_none",
    "validate_ok_for_replace",
    "validate_ok_for_update",
]
