# From PyMongo's parsed options to what the engine is given: libmongoc's connection string and the settings beside it.
"""Translates a client's options; says which options the engine cannot carry.

Source of the option names: libmongoc's `mongoc_uri_t` page and the URI Options specification.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pymongo

from barewire import __version__

# PyMongo's name -> libmongoc's, for options that mean the same in both.
_TLS_OPTIONS = {
    "tlscafile": "tlsCAFile",
    "tlscertificatekeyfile": "tlsCertificateKeyFile",
    "tlscertificatekeyfilepassword": "tlsCertificateKeyFilePassword",
    "tlsallowinvalidcertificates": "tlsAllowInvalidCertificates",
    "tlsallowinvalidhostnames": "tlsAllowInvalidHostnames",
    "tlsdisableocspendpointcheck": "tlsDisableOCSPEndpointCheck",
}
_MECHANISMS = {"DEFAULT", "SCRAM-SHA-1", "SCRAM-SHA-256", "MONGODB-X509", "PLAIN", "GSSAPI", "MONGODB-AWS"}
# PyMongo's own figures when a timeout is not given (seconds).
_NO_LIMIT_SELECTION = 30.0


def unsupported_option(client: Any) -> str | None:
    """The first option of `client` that only PyMongo's own network stack can do; None when the engine does them all."""
    options = client.options
    given = options._options
    credentials = options.pool_options._credentials
    if options.load_balanced:
        return "loadBalanced"
    if "tlscrlfile" in given:
        return "tlsCRLFile"
    if given.get("proxyhost"):
        return "proxyHost"
    if credentials is not None and credentials.mechanism not in _MECHANISMS:
        return f"authMechanism={credentials.mechanism}"
    selector = options.server_selector
    if selector is not None and getattr(selector, "__module__", "") != "pymongo.server_selectors":
        return "server_selector"
    return None


def address_text(address: tuple[str, int | None]) -> str:
    """`("h", 27017)` as the engine writes it: "h:27017", "[::1]:27017", or the path of a socket."""
    host, port = address
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_pair(text: str) -> tuple[str, int | None]:
    """The opposite of `address_text`, as PyMongo names servers."""
    if text.endswith(".sock"):
        return text, None
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        return text, None
    return host.strip("[]"), int(port)


def _milliseconds(seconds: float | None) -> int:
    return 0 if seconds is None else max(1, round(seconds * 1000)) if seconds > 0 else 0


def _host_part(host: str, port: int | None) -> str:
    if port is None:
        return quote(host, safe="") if host.endswith(".sock") else host
    return address_text((host, port))


def connection_string(client: Any) -> str:
    """libmongoc's URI for `client` (a PyMongo client of either kind, already constructed)."""
    options = client.options
    given: Mapping[str, Any] = options._options
    pool = options.pool_options
    credentials = pool._credentials
    resolve = client._resolve_srv_info
    srv = bool(resolve.get("is_srv"))
    parameters: dict[str, Any] = {}

    user = ""
    source = ""
    if credentials is not None:
        if credentials.username is not None:
            user = quote(credentials.username, safe="")
            if credentials.password is not None:
                user += ":" + quote(credentials.password, safe="")
            user += "@"
        if credentials.mechanism != "DEFAULT":
            parameters["authMechanism"] = credentials.mechanism
        source = credentials.source or ""
        if source:
            parameters["authSource"] = source
        properties = given.get("authmechanismproperties")
        if isinstance(properties, Mapping) and properties:
            parameters["authMechanismProperties"] = ",".join(f"{k}:{v}" for k, v in properties.items())

    if srv:
        hosts = resolve["fqdn"]
        if given.get("srvservicename"):
            parameters["srvServiceName"] = given["srvservicename"]
        if given.get("srvmaxhosts"):
            parameters["srvMaxHosts"] = given["srvmaxhosts"]
    else:
        hosts = ",".join(sorted(_host_part(host, port) for host, port in client._topology_settings.seeds))
        # libmongoc takes one host without this as a direct connection; PyMongo discovers what it belongs to.
        parameters["directConnection"] = "true" if options.direct_connection else "false"
    if options.replica_set_name:
        parameters["replicaSet"] = options.replica_set_name
    if given.get("appname"):
        parameters["appname"] = given["appname"]
    if "tls" in given:
        parameters["tls"] = "true" if given["tls"] else "false"
    for ours, theirs in _TLS_OPTIONS.items():
        value = given.get(ours)
        if value is None:
            continue
        parameters[theirs] = ("true" if value else "false") if isinstance(value, bool) else value
    # libmongoc refuses the two together; PyMongo switches the check off itself when certificates are not checked.
    if parameters.get("tlsAllowInvalidCertificates") == "true":
        parameters.pop("tlsDisableOCSPEndpointCheck", None)
    parameters["connectTimeoutMS"] = _milliseconds(pool.connect_timeout) or 10000
    if pool.socket_timeout:
        parameters["socketTimeoutMS"] = _milliseconds(pool.socket_timeout)
    parameters["serverSelectionTimeoutMS"] = _milliseconds(options.server_selection_timeout) or 1
    parameters["heartbeatFrequencyMS"] = max(500, _milliseconds(options.heartbeat_frequency))
    parameters["localThresholdMS"] = int(options.local_threshold_ms)

    query = "&".join(f"{name}={quote(str(value), safe=',:')}" for name, value in parameters.items())
    return f"{'mongodb+srv' if srv else 'mongodb'}://{user}{hosts}/?{query}"


def engine_settings(client: Any) -> dict[str, Any]:
    """Everything `_core.MongoEngine` is made from. Times are milliseconds; 0 means no limit."""
    options = client.options
    pool = options.pool_options
    selection = options.server_selection_timeout
    return {
        "uri": connection_string(client),
        "driver_name": "barewire",
        "driver_version": f"{__version__}/pymongo {pymongo.version}",
        "platform": f"{platform.python_implementation()} {platform.python_version()}",
        "max_pool_size": int(pool.max_pool_size or 0),
        "max_connecting": int(pool.max_connecting),
        "local_threshold": int(options.local_threshold_ms),
        "max_idle_time": _milliseconds(pool.max_idle_time_seconds),
        "heartbeat_interval": max(500, _milliseconds(options.heartbeat_frequency)),
        "direct": bool(options.direct_connection),
        "load_balanced": bool(options.load_balanced),
        "retry_reads": bool(options.retry_reads),
        "retry_writes": bool(options.retry_writes),
        "selection_timeout": _milliseconds(_NO_LIMIT_SELECTION if selection is None else selection),
        "wait_queue_timeout": _milliseconds(pool.wait_queue_timeout),
        "socket_timeout": _milliseconds(pool.socket_timeout),
    }
