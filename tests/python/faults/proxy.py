# A TCP proxy in front of a real server that can cut, delay or swallow what the server answers; no knowledge of BSON.
from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


class Proxy:
    """Forwards connections of 127.0.0.1:`port` to the server; the attributes may be changed while it runs.

    `cut_replies_after`: a data connection is closed after so many bytes of the server's next reply (None: never).
    `hold_replies`: replies are kept back while True and delivered once it is False again.
    `only_when`: says of a request's bytes whether the reply to it is to be cut or held.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut_replies_after: int | None = None
        self.hold_replies = False
        self.only_when: Callable[[bytes], bool] = lambda request: False
        self.cuts = 0
        self._released = threading.Condition()
        self._closed = False
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
            except OSError:
                continue
            self._sockets += [client, server]
            marked = [False]
            threading.Thread(target=self._forward_requests, args=(client, server, marked), daemon=True).start()
            threading.Thread(target=self._forward_replies, args=(server, client, marked), daemon=True).start()

    def _forward_requests(self, client: socket.socket, server: socket.socket, marked: list[bool]) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                marked[0] = self.only_when(data)
                server.sendall(data)
        self._end(client, server)

    def _forward_replies(self, server: socket.socket, client: socket.socket, marked: list[bool]) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if marked[0] and self.cut_replies_after is not None:
                    client.sendall(data[: self.cut_replies_after])
                    self.cuts += 1
                    break
                with self._released:
                    while marked[0] and self.hold_replies and not self._closed:
                        self._released.wait(0.05)
                client.sendall(data)
        self._end(client, server)

    @staticmethod
    def _end(*sockets: socket.socket) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def drop_all(self) -> None:
        """Breaks every open connection at once."""
        self._end(*self._sockets)
        self._sockets.clear()

    def close(self) -> None:
        self._closed = True
        self._end(self._listener)
        self.drop_all()


@contextlib.contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    proxy = Proxy(("127.0.0.1", port))
    try:
        yield proxy
    finally:
        proxy.close()
