"""Where money is met: the channels this instance can charge."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import TypeAlias, TypeVar

import structlog

from billing.channels.base import (
    Absent,
    Answer,
    Channel,
    Charge,
    Closed,
    Declined,
    Disbursal,
    Line,
    Lost,
    Payee,
    Payer,
    Return,
    Ruling,
    Taken,
    Tribunal,
)
from billing.channels.sandbox import SandboxChannel
from billing.channels.wallet import WalletChannel
from kernel.time_limit import TimeIsUp
from kernel.transactions import in_transaction

_BANK = SandboxChannel()
CHANNELS: dict[str, Channel] = {channel.name: channel for channel in (_BANK, WalletChannel())}
#: Who pays merchants out, by name; and in which mode who does. Where nobody does, their money waits for them.
PAYERS: dict[str, Payer] = {_BANK.name: _BANK}
#: Who hears us before they keep what they took back.
TRIBUNALS: dict[str, Tribunal] = {_BANK.name: _BANK}
PAYER_OF: dict[str, str] = {"test": "sandbox"}
_T = TypeVar("_T")
log = structlog.get_logger(__name__)


class InsideTransactionError(RuntimeError):
    """A channel was about to be called while a transaction was open: its rollback could not undo what was taken."""


def charge_all(charges: Iterable[tuple[_T, str, Charge]], *, within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Ask each channel for its money and hand on each answer as it comes.

    Nothing is sent any more once `within` has passed: whoever finds a charge after that may believe that it never left.
    """
    calls = ((key, name, one.number, partial(CHANNELS[name].charge, one)) for key, name, one in charges)
    return _in_time(calls, within)


def give_back_all(returns: Iterable[tuple[_T, str, Return]], *, within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Ask each channel to give money back. The same holds."""
    calls = ((key, name, one.number, partial(CHANNELS[name].give_back, one)) for key, name, one in returns)
    return _in_time(calls, within)


def pay_out_all(payouts: Iterable[tuple[_T, str, Disbursal]], *, within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Ask each channel to pay a merchant. The same holds."""
    calls = ((key, name, one.number, partial(PAYERS[name].pay_out, one)) for key, name, one in payouts)
    return _in_time(calls, within)


def ask_all(asks: "Iterable[_Call[_T]]", *, within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Ask about numbers, each by its own call, and hand on each answer as it comes. Who is not asked in time is not."""
    return _in_time(asks, within)


def named(name: str) -> Line:
    """Whoever can be asked about a number that was given to them."""
    return CHANNELS[name] if name in CHANNELS else PAYERS[name]


_Call: TypeAlias = tuple[_T, str, str, Callable[[], Answer]]


def _in_time(calls: Iterable[_Call[_T]], within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """The answers. Who bears many calls at a time is asked side by side, while the others are asked in turn."""
    until = time.monotonic() + within.total_seconds()
    apart = {one: list(some) for one, some in groupby(sorted(calls, key=_one_by_one), key=_one_by_one)}
    with ExitStack() as pools:
        coming = _begun(apart.get(False, []), until, pools)
        for key, name, number, call in apart.get(True, []):
            if (answer := _asked_before(until, call, name, number)) is not None:
                yield key, answer
        for key, future in coming:
            if (answer := future.result()) is not None:
                yield key, answer


def _one_by_one(call: _Call[_T]) -> bool:
    return named(call[1]).at_once == 1


def _begun(calls: Sequence[_Call[_T]], until: float, pools: ExitStack) -> list[tuple[_T, Future[Answer | None]]]:
    """Calls under way, each channel's by as many hands as it bears."""
    hands: dict[str, ThreadPoolExecutor] = {}
    for _, name, _, _ in calls:
        if name not in hands:
            hands[name] = pools.enter_context(ThreadPoolExecutor(named(name).at_once, thread_name_prefix=name))
    return [(key, hands[name].submit(_asked_before, until, call, name, number)) for key, name, number, call in calls]


def _asked_before(until: float, call: Callable[[], Answer], name: str, number: str) -> Answer | None:
    """The answer, if there is still time to ask."""
    return None if time.monotonic() >= until else _asked(call, name, number)


def query(name: str, number: str, *, at: datetime) -> Answer:
    """Ask a channel what became of a number."""
    return _asked(partial(named(name).query, number, at=at), name, number)


def close(name: str, number: str, *, at: datetime) -> Answer:
    """Have a channel give up a number for ever, before anything is tried under another one."""
    return _asked(partial(named(name).close, number, at=at), name, number)


def contest(name: str, txn: str, evidence: str, *, at: datetime) -> bool:
    """Say this to a channel against what it took back. Whether it has heard it."""
    if in_transaction():
        raise InsideTransactionError
    try:
        TRIBUNALS[name].contest(txn, evidence, at=at)
    except TimeIsUp:
        raise
    except Exception:
        log.exception("channel_broke", channel=name, txn=txn)
        return False
    return True


def ruling(name: str, txn: str, *, at: datetime) -> Ruling:
    """What a channel has decided about what it took back. One that breaks has decided nothing."""
    if in_transaction():
        raise InsideTransactionError
    try:
        return TRIBUNALS[name].ruling(txn, at=at)
    except TimeIsUp:
        raise
    except Exception:
        log.exception("channel_broke", channel=name, txn=txn)
        return Ruling.OPEN


def _asked(ask: Callable[[], Answer], name: str, number: str) -> Answer:
    """The channel's answer. A channel that breaks has told nothing: the outcome is unknown, not a failure."""
    if in_transaction():
        raise InsideTransactionError
    try:
        return ask()
    except TimeIsUp:
        raise
    except Exception:
        log.exception("channel_broke", channel=name, number=number)
        return Lost("channel_broke")


__all__ = [
    "CHANNELS",
    "PAYERS",
    "PAYER_OF",
    "TRIBUNALS",
    "Absent",
    "Answer",
    "Channel",
    "Charge",
    "Closed",
    "Declined",
    "Disbursal",
    "Lost",
    "Payee",
    "Return",
    "Ruling",
    "Taken",
    "ask_all",
    "charge_all",
    "close",
    "contest",
    "give_back_all",
    "named",
    "pay_out_all",
    "query",
    "ruling",
]
