# PostgresServer: a PostgreSQL server of one's own; programs, users, data folders and logs are in the modules beside it.
"""A real PostgreSQL server for tests, demonstrations and small programs."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ._ports import free_port
from ._postgres_cluster import SUPERUSER, make_data_folder
from ._postgres_copied import reachable_programs
from ._postgres_database import PostgresDatabase, new_name
from ._postgres_log import PidFile, PostgresLog
from ._postgres_programs import find_programs
from ._postgres_user import SystemUser, choose_user
from ._process import GuardedProcess
from .errors import EmbeddedServerError

_SOCKET_PORT = 5432  # only names the file of a Unix socket
_LONGEST_SOCKET_FOLDER = 80  # a socket's whole path has at most some 100 characters
_GRACE_SECONDS = 15.0

_NO_DURABILITY = {
    "fsync": False,
    "synchronous_commit": False,
    "full_page_writes": False,
    "shared_buffers": "32MB",
    "max_prepared_transactions": 16,  # two-phase commit is off otherwise
}
#: What the presets set; everything else is the server's default.
PRESETS: Mapping[str, Mapping[str, Any]] = {"test": _NO_DURABILITY, "durable": {"max_prepared_transactions": 16}}

# Set by a parameter of PostgresServer, or needed by it in its own way.
_OWN_SETTINGS = frozenset(
    ["data_directory", "port", "listen_addresses", "unix_socket_directories", "external_pid_file", "logging_collector"]
    + ["lc_messages"]
)


class PostgresServer:
    """One PostgreSQL server with its own data folder, for as long as a ``with`` block or until :meth:`stop`.

    It listens on a Unix socket in a folder that other users may not enter (or on the loopback address), without
    password, with the superuser ``postgres``; it ends when this program ends, even by SIGKILL. Started by root it
    runs as an unprivileged user, as PostgreSQL demands.

    Args:
        path: data folder, created and filled if missing or empty; None for a new temporary one.
        preset: ``"test"`` for speed: nothing survives a crash of the machine, small buffers; ``"durable"`` for the
            server's own defaults.
        port: TCP port of the loopback address to listen on instead of a Unix socket.
        unix_socket: False for a free TCP port. Any user of this machine may connect to a port.
        programs: folder of ``postgres`` and ``initdb``; by default ``$BAREWIRE_PG_BIN``, else that of PATH, else the
            distribution's newest, else the one installed from PyPI.
        keep: whether the data folder stays after :meth:`stop`; by default a given ``path`` stays and a temporary one
            goes.
        settings: server parameters (``{"work_mem": "64MB"}``); they win over the preset's.
        hba: lines for ``pg_hba.conf``, before the one that lets everybody in.
        run_as: system user to become when started by root: by default the owner of existing data, else
            ``postgres``, else ``nobody``.
        start_timeout: seconds until a server that does not accept connections is given up.
        stop_timeout: seconds until a server that does not end is killed.

    Raises:
        EmbeddedServerError: from :meth:`start` and everything that starts: no programs, or it did not come up. The
            text holds the end of its log.
        ValueError: an unknown preset, or a setting that has a parameter here.

    The methods are for one thread at a time. In a forked child the server belongs to the parent: there :meth:`stop`
    does nothing, and what would change the server raises RuntimeError.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        preset: str = "test",
        *,
        port: int | None = None,
        unix_socket: bool | None = None,
        programs: str | os.PathLike[str] | None = None,
        keep: bool | None = None,
        settings: Mapping[str, Any] | None = None,
        hba: Sequence[str] = (),
        run_as: str | None = None,
        start_timeout: float = 60.0,
        stop_timeout: float = 30.0,
    ) -> None:
        if preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, not {preset!r}")
        if isinstance(hba, str):
            raise TypeError("hba must be a sequence of lines, not one string")
        if port is not None and not 0 < port < 65536:
            raise ValueError(f"port must be between 1 and 65535, not {port}")
        if port is not None and unix_socket:
            raise ValueError("port and unix_socket exclude each other")
        for name in settings or ():
            if name.lower() in _OWN_SETTINGS:
                raise ValueError(f"settings: {name} is set by PostgresServer itself")
        self._given_path = None if path is None else Path(path).expanduser().absolute()
        self._given_port = port
        self._unix_socket = port is None if unix_socket is None else unix_socket
        self._programs = programs
        #: Whether the data folder stays after :meth:`stop`.
        self.keep: bool = (path is not None) if keep is None else keep
        self._settings = {**PRESETS[preset], **(settings or {})}
        self._hba = tuple(hba)
        self._run_as = run_as
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._path: Path | None = None
        self._port: int | None = None
        self._socket_folder: Path | None = None
        self._user: SystemUser | None = None
        self._process: GuardedProcess | None = None
        self._log: PostgresLog | None = None

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
        """The server's log file."""
        return self.path / "server.log"

    @property
    def port(self) -> int:
        """The TCP port, or the number in the name of the Unix socket."""
        return self._known(self._port)

    @property
    def host(self) -> str:
        """``127.0.0.1``, or the folder of the Unix socket: what libpq calls the host."""
        self._known(self._port)
        return str(self._socket_folder) if self._unix_socket else "127.0.0.1"

    @property
    def programs(self) -> Path:
        """The folder of the server's programs: ``pgbench`` and ``psql`` are there too, where they are installed."""
        return find_programs(self._programs)

    @property
    def conninfo(self) -> str:
        """The connection string for the database ``postgres``, in keywords."""
        return self.database().conninfo

    @property
    def uri(self) -> str:
        """The same as a URI, which asyncpg wants."""
        return self.database().uri

    def database(self, name: str = "postgres") -> PostgresDatabase:
        """How to connect to a database of this server; nothing is asked of the server."""
        return PostgresDatabase.at(self.host, self.port, SUPERUSER, name)

    def create_database(self, name: str | None = None, *, template: str = "template1") -> PostgresDatabase:
        """A new database, a copy of ``template`` (to which nobody may be connected); as a context manager it is
        dropped at the end.

        Args:
            name: by default one that no other has.

        Raises:
            psycopg.Error: the server refused.
        """
        return self.database(name or new_name()).create(template)

    @property
    def pid(self) -> int:
        """The process id of the server, the parent of its backends."""
        return self._known(self._process).pid

    @property
    def running(self) -> bool:
        """Whether the process exists (a paused one does)."""
        return self._process is not None and self._process.wait(0) is None

    def log_tail(self, lines: int = 20) -> str:
        """The end of the log of the present or last run."""
        return self._log.tail(lines) if self._log is not None else ""

    # Starting and stopping.

    def start(self) -> PostgresServer:
        """Start the server and wait until it accepts connections; returns itself.

        Raises:
            EmbeddedServerError: it did not come up.
            RuntimeError: it runs already.
        """
        if self.running:
            raise RuntimeError("the server runs already")
        first_start = self._path is None
        programs = find_programs(self._programs)
        try:
            if first_start:
                self._user = choose_user(self._run_as, self._given_path)
            if self._user:
                programs = reachable_programs(programs, self._user)
            self._prepare_folders(programs)
            attempts = 1 if self._unix_socket or self._given_port or self._port else 5
            for attempt in range(attempts):
                if self._port is None:
                    self._port = self._given_port or (_SOCKET_PORT if self._unix_socket else free_port())
                code = self._launch(programs)
                if code is None:
                    break
                if "Address already in use" not in self._log.text() or attempt + 1 == attempts:
                    raise self._start_failure(f"it ended with exit code {code}")
                self._port = None  # somebody was faster
        except BaseException as error:
            self._abandon_start(first_start)
            if isinstance(error, OSError):
                raise EmbeddedServerError(f"the embedded PostgreSQL did not start: {error}") from error
            raise
        return self

    def stop(self) -> None:
        """Stop the server and remove its data folder unless kept; harmless when not running.

        Connections that are open are closed by the server.
        """
        if self._process is not None and self._process.inherited:
            return
        # Nobody will read data that are discarded: no need to write them.
        self._end_process(signal.SIGINT if self.keep else signal.SIGQUIT)
        self._discard_folders()

    def kill(self) -> None:
        """SIGKILL to all its processes: what a crash leaves. The data folder stays until :meth:`stop`."""
        self._signal(signal.SIGKILL)
        self._process.wait(self._stop_timeout)

    def pause(self) -> None:
        """SIGSTOP (on Linux to the backends too): connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP, tree=True)

    def resume(self) -> None:
        """SIGCONT: the end of a pause."""
        self._signal(signal.SIGCONT, tree=True)

    def reload(self) -> None:
        """SIGHUP: read the configuration files again; takes effect within a moment."""
        self._signal(signal.SIGHUP)

    def restart(self) -> None:
        """Stop it if it runs, then start it with the same address and data.

        Raises:
            EmbeddedServerError: it did not come up.
        """
        self._known(self._process)
        self._refuse_in_fork()
        self._end_process(signal.SIGINT)
        self.start()

    def wait(self, timeout: float) -> int | None:
        """Wait up to ``timeout`` seconds for the process to end; its exit code, or None."""
        return self._known(self._process).wait(timeout)

    def __enter__(self) -> PostgresServer:
        return self if self.running else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"pid={self.pid} {self.conninfo!r}" if self.running else "not running"
        return f"<{type(self).__name__} {state}>"

    # Parts.

    def _refuse_in_fork(self) -> None:
        if self._process is not None and self._process.inherited:
            raise RuntimeError("the server belongs to the parent of this process")

    def _signal(self, number: int, *, tree: bool = False) -> None:
        self._known(self._process)
        self._refuse_in_fork()
        self._process.send_signal(number, tree=tree)

    def _prepare_folders(self, programs: Path) -> None:
        if self._path is not None:
            return  # started again
        if self._given_path is None:
            self._path = Path(tempfile.mkdtemp(prefix="barewire-postgres-"))
        else:
            self._given_path.mkdir(parents=True, exist_ok=True)
            self._path = self._given_path
        if self._user:
            self._user.check_reaches(self._path.parent, "the data folder's parent")
        if not any(self._path.iterdir()):
            make_data_folder(programs, self._path, self._user)
        elif not (self._path / "PG_VERSION").exists():
            raise EmbeddedServerError(f"{self._path} is neither empty nor a data folder of PostgreSQL")
        if self._hba:
            self._own_file("barewire_hba.conf", "\n".join((*self._hba, "local all all trust", "host all all all trust\n")))
        self._own_file("server.log")
        if self._unix_socket:
            # Not in the data folder: a socket's path has at most some 100 characters.
            long = len(tempfile.gettempdir()) > _LONGEST_SOCKET_FOLDER
            self._socket_folder = Path(tempfile.mkdtemp(prefix="barewire-", dir="/tmp" if long else None))
            self._give_away(self._socket_folder)

    def _own_file(self, name: str, text: str = "") -> None:
        """A file that the server may read and write, in its data folder."""
        file = self.path / name
        with open(file, "a" if not text else "w") as opened:
            opened.write(text)
        file.chmod(0o600)
        self._give_away(file)

    def _give_away(self, path: Path) -> None:
        if self._user:
            os.chown(path, self._user.uid, self._user.gid)

    def _discard_folders(self, *, keep_data: bool | None = None) -> None:
        if self._path is not None:
            self._remove_shared_memory()
        for folder in self._to_discard(self.keep if keep_data is None else keep_data):
            shutil.rmtree(folder, ignore_errors=True)
        self._path = self._port = self._socket_folder = None

    def _remove_shared_memory(self) -> None:
        """What a killed server that was not started again has left; a pid file is there only then."""
        if self._process is None or not self._process.returncode:
            return
        segment = PidFile(self.path).shared_memory
        if segment is not None:
            ctypes.CDLL(None).shmctl(segment, 0, None)  # IPC_RMID

    def _to_discard(self, keep_data: bool) -> list[Path]:
        folders = [] if keep_data else [self._path]
        return [folder for folder in (*folders, self._socket_folder) if folder is not None]

    def _command(self, programs: Path) -> list[str]:
        settings: dict[str, Any] = dict(self._settings)
        settings["listen_addresses"] = "" if self._unix_socket else "127.0.0.1"
        settings["unix_socket_directories"] = str(self._socket_folder) if self._unix_socket else ""
        settings["port"] = self.port
        # What is logged goes to standard error, and so into our file.
        settings |= {"logging_collector": False, "lc_messages": "C"}
        if self._hba:
            settings["hba_file"] = self.path / "barewire_hba.conf"
        command = [str(programs / "postgres"), "-D", str(self.path)]
        for name, value in settings.items():
            text = ("on" if value else "off") if isinstance(value, bool) else str(value)
            command += ["-c", f"{name}={text}"]
        return command

    def _launch(self, programs: Path) -> int | None:
        """Start the process and wait until it accepts connections; its exit code if it ended instead."""
        self._log = PostgresLog(self.log_path)
        deadline = time.monotonic() + self._start_timeout
        ending = [(signal.SIGQUIT, _GRACE_SECONDS)]
        if self.keep:
            ending.insert(0, (signal.SIGINT, _GRACE_SECONDS))
        self._process = GuardedProcess(
            self._command(programs),
            log_path=self.log_path,
            discard=self._to_discard(self.keep),
            user=self._user.triple if self._user else None,
            ending=ending,
            # Not SIGKILL: it would leave the backends running until they notice.
            death_signal=signal.SIGQUIT,
        )
        while not PidFile(self.path).ready(self._process.pid):
            code = self._process.wait(0.003)
            if code is not None:
                return code
            if time.monotonic() > deadline:
                raise self._start_failure(f"it accepted no connections within {self._start_timeout:g} s")
        return None

    def _start_failure(self, reason: str) -> EmbeddedServerError:
        tail = self.log_tail() or "(empty)"
        return EmbeddedServerError(f"the embedded PostgreSQL did not start: {reason}\nIts log ends:\n{tail}")

    def _abandon_start(self, first_start: bool) -> None:
        if self._process is not None:
            self._end_process(signal.SIGQUIT)
        if first_start:
            # Never a given folder, even one to be discarded: it may be another server's, hence the failure.
            self._discard_folders(keep_data=self._given_path is not None)

    def _end_process(self, number: int) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGCONT, tree=True)  # a paused server would not see the next one
        process.send_signal(number)
        if process.wait(self._stop_timeout) is None:
            process.send_signal(signal.SIGKILL)
            process.wait(self._stop_timeout)
