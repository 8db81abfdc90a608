"""The database backend for the `ENGINE` setting."""

import select
from typing import Any

from django.db.backends.postgresql import base

from kernel.postgres import keys

keys.register()


class DatabaseWrapper(base.DatabaseWrapper):
    """Checks an idle connection by its socket, where Django would send a query and wait before each request.

    A server that shut down has closed the connection or sent a message, so there would be something to read.
    """

    connection: Any

    def is_usable(self) -> bool:
        return self.is_quiet() or bool(super().is_usable())

    def is_quiet(self) -> bool:
        return is_quiet(self.connection)


def is_quiet(connection: Any) -> bool:
    """Whether this connection of the driver is open and its socket has nothing to read, not even end of file."""
    if connection is None or connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLPRI)
    return not poll.poll(0)
