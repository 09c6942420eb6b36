# A proxy that counts what a PostgreSQL client sends: its messages, and how often it waited for an answer. No tests here.
from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_NAMES = {
    "P": "Parse", "B": "Bind", "D": "Describe", "E": "Execute", "S": "Sync", "C": "Close", "H": "Flush", "Q": "Query",
    "d": "CopyData", "c": "CopyDone", "f": "CopyFail", "X": "Terminate", "p": "Password",
}  # fmt: skip


class PgProxy:
    """Forwards connections of 127.0.0.1:`port`. `conninfo` goes through it.

    `messages`: (name, body) of every message of the clients since `clear()`. `trips`: how often a client has sent something
    after it had received something (the first time included): round trips.
    """

    def __init__(self, conninfo: str) -> None:
        words = conninfo_to_dict(conninfo)
        self._host, self._port = str(words.get("host") or "127.0.0.1"), int(words.get("port") or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.conninfo = make_conninfo(
            conninfo, host="127.0.0.1", port=self.port, sslmode="disable", gssencmode="disable"
        )
        self._lock = threading.Lock()
        self.messages: list[tuple[str, bytes]] = []
        self.trips = 0
        self.received = 0
        # Called with each message before it is forwarded; true cuts the connection instead.
        self.cut: Callable[[str, bytes], bool] = lambda name, body: False
        self._waiting_for_client = True
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def clear(self) -> None:
        with self._lock:
            self.messages, self.trips, self.received, self._waiting_for_client = [], 0, 0, True

    @property
    def names(self) -> list[str]:
        with self._lock:
            return [name for name, _ in self.messages]

    @property
    def statements(self) -> list[str]:
        """Texts of Parse and Query messages in their order."""
        with self._lock:
            found = [
                body.split(b"\0")[1 if name == "Parse" else 0] for name, body in self.messages if name in ("Parse", "Query")
            ]
        return [text.decode() for text in found]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._host.startswith("/"):
                server = socket.socket(socket.AF_UNIX)
                server.connect(os.path.join(self._host, f".s.PGSQL.{self._port}"))
            else:
                server = socket.create_connection((self._host, self._port))
            for each in (client, server):
                if each.family != socket.AF_UNIX:
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self._replies, args=(server, client), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        pending, started = b"", False
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                pending += data
                with self._lock:
                    if self._waiting_for_client:
                        self.trips += 1
                        self._waiting_for_client = False
                    while True:
                        head = 1 if started else 0
                        if len(pending) < head + 4:
                            break
                        size = struct.unpack_from("!I", pending, head)[0] + head
                        if len(pending) < size:
                            break
                        if started:
                            letter = chr(pending[0])
                            message = _NAMES.get(letter, letter), pending[5:size]
                            self.messages.append(message)
                            if self.cut(*message):
                                raise ConnectionAbortedError
                        started, pending = True, pending[size:]
                server.sendall(data)
        self._end(client, server)

    def _replies(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                with self._lock:
                    self._waiting_for_client = True
                    self.received += len(data)
                client.sendall(data)
        self._end(client, server)

    @staticmethod
    def _end(*sockets: socket.socket) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        self._end(self._listener, *self._sockets)


@contextlib.contextmanager
def proxied(conninfo: str) -> Iterator[PgProxy]:
    proxy = PgProxy(conninfo)
    try:
        yield proxy
    finally:
        proxy.close()
