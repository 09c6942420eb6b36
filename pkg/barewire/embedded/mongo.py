# MongoServer: a mongod of one's own; processes, ports and log reading are in the modules beside it.
"""A real MongoDB server for tests, demonstrations and small programs."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from . import _mongod_replica_set
from ._mongod_log import WAITING_FOR_CONNECTIONS, MongodLog
from ._mongod_program import find_mongod
from ._ports import free_port
from ._process import GuardedProcess
from .errors import EmbeddedServerError

_ADDRESS_IN_USE = 48  # mongod's exit code
_REPLICA_SET_NAME = "rs0"
_SOCKET_PORT = 27017  # only names the file of a Unix socket
_LEAST_CACHE_OPTION = 256  # MiB; less can only be said to the storage engine itself

# Set by a parameter of MongoServer, or needed by it in its own way.
_OWN_OPTIONS = frozenset(
    ["--dbpath", "--port", "--bind_ip", "--bind_ip_all", "--replSet", "--logpath", "--syslog", "--fork"]
    + ["--config", "-f"]
)


class MongoServer:
    """One mongod process with its own data folder, for as long as a ``with`` block or until :meth:`stop`.

    It listens on the loopback address (or a Unix socket) only, ends when this program ends, even by SIGKILL,
    and may be started by any user. Unless ``extra_args`` say otherwise it has no authentication: whoever may
    connect to this machine's loopback address may use it.

    Args:
        path: data folder, created if missing; None for a new temporary one.
        replica_set: True for a replica set of one, named ``rs0``, so that transactions and change streams
            work; a string to name it; False for a standalone server.
        port: TCP port; None for a free one.
        unix_socket: listen on a Unix socket in a new temporary folder instead of TCP.
        mongod: the program; by default ``$BAREWIRE_MONGOD``, else one on PATH, else one installed from PyPI.
        keep: whether the data folder stays after :meth:`stop`; by default a given ``path`` stays and a
            temporary one goes.
        cache_megabytes: cache of the storage engine, in MiB.
        enable_test_commands: allow ``configureFailPoint`` and its like.
        parameters: server parameters (``--setParameter``); they win over ours.
        extra_args: further arguments of mongod, as they are.
        client_options: keyword arguments of ``pymongo.MongoClient`` that a connection needs because of
            ``extra_args`` (``tls``, ``tlsCAFile``). Used while starting; they do not appear in :attr:`uri`.
        start_timeout: seconds until a server that does not become writable is given up.
        stop_timeout: seconds until a server that does not end is killed.

    Raises:
        EmbeddedServerError: from :meth:`start` and everything that starts: no mongod, or it did not come up.
            The text holds the end of its log.
        ValueError: an option in ``extra_args`` that has a parameter here.

    The methods are for one thread at a time. In a forked child the server belongs to the parent: there
    :meth:`stop` does nothing, and what would change the server raises RuntimeError.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        replica_set: bool | str = True,
        port: int | None = None,
        unix_socket: bool = False,
        mongod: str | os.PathLike[str] | None = None,
        keep: bool | None = None,
        cache_megabytes: int = 256,
        enable_test_commands: bool = False,
        parameters: Mapping[str, Any] | None = None,
        extra_args: Sequence[str] = (),
        client_options: Mapping[str, Any] | None = None,
        start_timeout: float = 60.0,
        stop_timeout: float = 30.0,
    ) -> None:
        if isinstance(extra_args, str):
            raise TypeError("extra_args must be a sequence of strings, not one string")
        for argument in extra_args:
            if argument.split("=", 1)[0] in _OWN_OPTIONS:
                raise ValueError(f"extra_args: {argument} is set by MongoServer itself")
        if port is not None and not 0 < port < 65536:
            raise ValueError(f"port must be between 1 and 65535, not {port}")
        self.replica_set_name: str | None = (
            replica_set if isinstance(replica_set, str) else _REPLICA_SET_NAME if replica_set else None
        )
        self._given_path = None if path is None else Path(path).expanduser().absolute()
        self._given_port = port
        self._unix_socket = unix_socket
        self._mongod = mongod
        #: Whether the data folder stays after :meth:`stop`.
        self.keep: bool = (path is not None) if keep is None else keep
        self._cache_megabytes = cache_megabytes
        self._parameters: dict[str, Any] = {
            "diagnosticDataCollectionEnabled": False,
            # Without it a primary waits up to 15 s for secondaries to take over.
            "shutdownTimeoutMillisForSignaledShutdown": 100,
        }
        if enable_test_commands:
            self._parameters["enableTestCommands"] = 1
        self._parameters.update(parameters or {})
        self._extra_args = tuple(extra_args)
        self._client_options = dict(client_options or {})
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._path: Path | None = None
        self._port: int | None = None
        self._socket_folder: Path | None = None
        self._process: GuardedProcess | None = None
        self._log: MongodLog | None = None

    # What a caller may want to know.

    def _known(self, value: Any) -> Any:
        if value is None:
            raise RuntimeError("the server was not started")
        return value

    @property
    def path(self) -> Path:
        """The data folder; the log is in it too."""
        return self._known(self._path)

    @property
    def log_path(self) -> Path:
        """The server's log file, one JSON object per line."""
        return self.path / "mongod.log"

    @property
    def port(self) -> int:
        """The TCP port; with a Unix socket the number in its name."""
        return self._known(self._port)

    @property
    def address(self) -> str:
        """``host:port``, or the path of the Unix socket."""
        if self._unix_socket:
            return str(self._known(self._socket_folder) / f"mongodb-{self.port}.sock")
        return f"127.0.0.1:{self.port}"

    @property
    def direct_uri(self) -> str:
        """The URI of this server alone, whatever its role."""
        return f"mongodb://{quote(self.address, safe=':')}/?directConnection=true"

    @property
    def uri(self) -> str:
        """The URI for applications: with ``replicaSet`` for a replica set on TCP, else that of one server."""
        if self.replica_set_name is None or self._unix_socket:
            return self.direct_uri
        return f"mongodb://{self.address}/?replicaSet={quote(self.replica_set_name, safe='')}"

    @property
    def pid(self) -> int:
        """The process id of mongod."""
        return self._known(self._process).pid

    @property
    def running(self) -> bool:
        """Whether the process exists (a paused one does)."""
        return self._process is not None and self._process.wait(0) is None

    def log_tail(self, lines: int = 20) -> str:
        """The end of the log of the present or last run, made readable."""
        return self._log.tail(lines) if self._log is not None else ""

    # Starting and stopping.

    def start(self) -> MongoServer:
        """Start the server and wait until it takes writes; returns itself.

        Raises:
            EmbeddedServerError: it did not come up.
            RuntimeError: it runs already.
        """
        if self.running:
            raise RuntimeError("the server runs already")
        program = find_mongod(self._mongod)
        first_start = self._path is None
        try:
            self._prepare_folders()
            attempts = 1 if self._unix_socket or self._given_port or self._port else 5
            for attempt in range(attempts):
                if self._port is None:
                    self._port = self._given_port or (_SOCKET_PORT if self._unix_socket else free_port())
                code = self._launch(program)
                if code is None:
                    break
                if code != _ADDRESS_IN_USE or attempt + 1 == attempts:
                    raise self._start_failure(f"mongod ended with exit code {code}")
                self._port = None  # somebody was faster
            self._await_writable()
        except BaseException as error:
            self._abandon_start(first_start)
            if isinstance(error, OSError):
                raise EmbeddedServerError(f"the embedded MongoDB did not start: {error}") from error
            raise
        return self

    def stop(self) -> None:
        """Stop the server cleanly and remove its data folder unless kept; harmless when not running."""
        if self._process is not None and self._process.inherited:
            return
        self._end_process()
        self._discard_folders()

    def kill(self) -> None:
        """SIGKILL: what a crash leaves. The data folder stays until :meth:`stop`."""
        self._signal(signal.SIGKILL)
        self._process.wait(self._stop_timeout)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: the end of a pause."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it if it runs, then start it with the same port and data.

        Raises:
            EmbeddedServerError: it did not come up.
        """
        self._known(self._process)
        self._refuse_in_fork()
        self._end_process()
        self.start()

    def wait(self, timeout: float) -> int | None:
        """Wait up to ``timeout`` seconds for the process to end; its exit code, or None."""
        return self._known(self._process).wait(timeout)

    def __enter__(self) -> MongoServer:
        return self if self.running else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"pid={self.pid} uri={self.uri!r}" if self.running else "not running"
        return f"<{type(self).__name__} {state}>"

    # Parts.

    def _refuse_in_fork(self) -> None:
        if self._process is not None and self._process.inherited:
            raise RuntimeError("the server belongs to the parent of this process")

    def _signal(self, number: int) -> None:
        self._known(self._process)
        self._refuse_in_fork()
        self._process.send_signal(number)

    def _prepare_folders(self) -> None:
        if self._path is None:
            if self._given_path is None:
                self._path = Path(tempfile.mkdtemp(prefix="barewire-mongo-"))
            else:
                self._given_path.mkdir(parents=True, exist_ok=True)
                self._path = self._given_path
        if self._unix_socket and self._socket_folder is None:
            # Not in the data folder: a socket's path has at most some 100 characters.
            self._socket_folder = Path(tempfile.mkdtemp(prefix="barewire-"))

    def _discard_folders(self, *, keep_data: bool | None = None) -> None:
        for folder in self._to_discard(self.keep if keep_data is None else keep_data):
            shutil.rmtree(folder, ignore_errors=True)
        self._path = self._port = self._socket_folder = None

    def _to_discard(self, keep_data: bool) -> list[Path]:
        folders = [] if keep_data else [self._path]
        return [folder for folder in (*folders, self._socket_folder) if folder is not None]

    def _command(self, program: Path) -> list[str]:
        command = [str(program), "--dbpath", str(self.path), "--port", str(self.port)]
        command += ["--bind_ip", self.address if self._unix_socket else "127.0.0.1"]
        if not self._unix_socket:
            command.append("--nounixsocket")  # else one in /tmp, left there by a killed server
        # A small journal, not preallocated: 17 MB on disk and a quick start instead of 300 MB.
        engine = "log=(prealloc=false,file_max=16MB)"
        if self._cache_megabytes < _LEAST_CACHE_OPTION:
            engine += f",cache_size={self._cache_megabytes}MB"
        cache = max(self._cache_megabytes, _LEAST_CACHE_OPTION) / 1024
        command += ["--wiredTigerCacheSizeGB", f"{cache:.3f}", "--wiredTigerEngineConfigString", engine]
        if self.replica_set_name is not None:
            command += ["--replSet", self.replica_set_name]
            if "--oplogSize" not in self._extra_args:
                command += ["--oplogSize", "64"]
        for name, value in self._parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["--setParameter", f"{name}={text}"]
        return [*command, *self._extra_args]

    def _launch(self, program: Path) -> int | None:
        """Start the process and wait until it accepts connections; its exit code if it ended instead."""
        self._log = MongodLog(self.log_path)
        self._deadline = time.monotonic() + self._start_timeout
        self._process = GuardedProcess(
            self._command(program), log_path=self.log_path, discard=self._to_discard(self.keep)
        )
        # The log, not a first connection: on a port that is in use somebody else would answer.
        while not self._log.message_seen(WAITING_FOR_CONNECTIONS):
            code = self._process.wait(0.005)
            if code is not None:
                return code
            if time.monotonic() > self._deadline:
                raise self._start_failure(f"it did not listen within {self._start_timeout:g} s")
        return None

    def _await_writable(self) -> None:
        try:
            _mongod_replica_set.await_writable(
                self.direct_uri,
                name=self.replica_set_name,
                member=self.address,
                client_options=self._client_options,
                deadline=self._deadline,
                ended=lambda: self._process.wait(0) is not None,
            )
        except _mongod_replica_set.NotWritable as error:
            raise self._start_failure(str(error)) from error.__cause__

    def _start_failure(self, reason: str) -> EmbeddedServerError:
        tail = self.log_tail() or "(empty)"
        return EmbeddedServerError(f"the embedded MongoDB did not start: {reason}\nIts log ends:\n{tail}")

    def _abandon_start(self, first_start: bool) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(self._stop_timeout)
        if first_start:
            # Never a given folder, even one to be discarded: it may be another server's, hence the failure.
            self._discard_folders(keep_data=self._given_path is not None)

    def _end_process(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGCONT)  # a paused server would not see the next one
        process.send_signal(signal.SIGTERM)
        if process.wait(self._stop_timeout) is None:
            process.send_signal(signal.SIGKILL)
            process.wait(self._stop_timeout)
