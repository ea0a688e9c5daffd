"""Taking connections from a socket on which other processes listen too, so that each of them gets its share."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sized

from rag_app.logs import get_logger

logger = get_logger(__name__)

_LONGEST_S = 0.01  # that the others have to be first
_HALF = 10  # connections with which half of it is waited
_PAUSE_S = 1.0  # after a connection that could not be taken, as where the process has no descriptor left


class SharedListener:
    """Takes what arrives the later, the more connections are open here: a process with fewer comes first.

    The kernel wakes all that listen, and what wakes first would take every connection of clients that keep theirs.

    Args:
        listening: the socket; it is closed in this process in the end.
        connections: those that are open here.
        protocol: makes what talks on a connection.
        backlog: how many connections may wait to be taken.
    """

    def __init__(
        self, listening: socket.socket, connections: Sized, protocol: Callable[[], asyncio.Protocol], backlog: int
    ) -> None:
        self._listening = listening
        self._connections = connections
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.TimerHandle | None = None
        self._talking: set[asyncio.Task[object]] = set()
        listening.setblocking(False)
        listening.listen(backlog)
        self._watch()

    def close(self) -> None:
        """Take no more; what waits to be taken, the others take."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _watch(self) -> None:
        self._waiting = None
        self._loop.add_reader(self._listening, self._arrived)

    def _arrived(self) -> None:
        self._loop.remove_reader(self._listening)
        open_here = len(self._connections)
        self._waiting = self._loop.call_later(_LONGEST_S * open_here / (open_here + _HALF), self._take)

    def _take(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            pass  # another process was first, or the client left
        except OSError as error:
            logger.warning("a connection can not be taken: %s", error.strerror)
            self._waiting = self._loop.call_later(_PAUSE_S, self._watch)
            return
        else:
            talking = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, connection))
            self._talking.add(talking)
            talking.add_done_callback(self._talking.discard)
        self._watch()
