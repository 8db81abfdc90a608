"""Real threads on real connections, let go at the same moment."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from billing.channels import bank
from kernel.refusal import Refusal

PATIENCE_SECONDS = 30.0


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Each act in a thread of its own, begun together; the outcomes in order. A refusal is an outcome, a crash is not.

    Raises:
        Exception: whatever an act raised that is not a refusal.
    """
    ready = threading.Barrier(len(acts))
    outcomes: list[Any] = [None] * len(acts)

    def work(place: int, act: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            ready.wait(PATIENCE_SECONDS)
            outcomes[place] = act()
        except Exception as exc:  # noqa: BLE001  the main thread judges it
            outcomes[place] = exc
        finally:
            bank.hang_up()
            connection.close()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, Refusal):
            raise outcome
    return outcomes


def refusals(outcomes: Sequence[Any]) -> list[str]:
    """The codes of the refusals among the outcomes."""
    return sorted(outcome.code for outcome in outcomes if isinstance(outcome, Refusal))
