"""The backend that `ENGINE` names."""

import select
from typing import Any

from django.db.backends.postgresql import base

from kernel.postgres import keys

keys.spell()


class DatabaseWrapper(base.DatabaseWrapper):
    """A line on which nothing has come is as it was left: before each request Django would ask the server, and wait.

    A server that went away has closed the line, and one that is going has said so: then there is something to read.
    """

    connection: Any

    def is_usable(self) -> bool:
        return self.is_quiet() or bool(super().is_usable())

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer, not even an end."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLPRI)
        return not poll.poll(0)
