"""Where money is met: the channels this instance can charge."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from billing.channels.base import Absent, Answer, Channel, Charge, Declined, Lost, Taken
from billing.channels.sandbox import SandboxChannel
from billing.channels.wallet import WalletChannel
from kernel.lifecycle import in_transaction

CHANNELS: dict[str, Channel] = {channel.name: channel for channel in (SandboxChannel(), WalletChannel())}
_T = TypeVar("_T")


class InsideTransactionError(RuntimeError):
    """A channel was about to be called while a transaction was open: its rollback could not undo what was taken."""


def charge_all(charges: Iterable[tuple[_T, str, Charge]]) -> Iterator[tuple[_T, Answer]]:
    """Ask each channel for its money and hand on each answer as it comes."""
    for key, name, charge in charges:
        _outside()
        yield key, CHANNELS[name].charge(charge)


def query(name: str, number: str, *, at: datetime) -> Answer:
    """Ask a channel what became of a number."""
    _outside()
    return CHANNELS[name].query(number, at=at)


def _outside() -> None:
    if in_transaction():
        raise InsideTransactionError


__all__ = ["CHANNELS", "Absent", "Answer", "Channel", "Charge", "Declined", "Lost", "Taken", "charge_all", "query"]
