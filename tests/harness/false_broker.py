"""A server that is no MQTT broker: it accepts, and says nothing or something else."""

from __future__ import annotations

import socket
import threading


class FalseBroker:
    """A context manager; `port` is where it listens.

    answer: the bytes that every client gets; None for silence
    port: 0 for a free one
    """

    def __init__(self, answer: bytes | None, port: int = 0) -> None:
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", port))
        self._accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> FalseBroker:
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)  # so that accept returns
        self._thread.join()
        for one in (self._server, *self._accepted):
            one.close()

    @property
    def attempts(self) -> int:
        """How many connections there have been."""
        return len(self._accepted)

    def is_waited_for(self) -> bool:
        """Whether the client still holds its latest connection open."""
        latest = self._accepted[-1]
        latest.settimeout(0)
        try:
            while latest.recv(4096):
                pass
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._accepted.append(connection)
            if self._answer:
                connection.sendall(self._answer)
