"""The payment channels of this instance, and calls to them: always outside a transaction, in limited time."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias, TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from billing.channels.base import (
    Answer,
    BaseChannel,
    Channel,
    ChargeRequest,
    Closed,
    Declined,
    DisputeChannel,
    NumberNotFound,
    Payee,
    PayoutChannel,
    PayoutRequest,
    RefundRequest,
    Ruling,
    Succeeded,
    Unknown,
)
from billing.channels.sandbox import SandboxChannel
from billing.channels.wallet import WalletChannel
from kernel.transactions import in_transaction

_BANK = SandboxChannel()
CHANNELS: dict[str, Channel] = {channel.name: channel for channel in (_BANK, WalletChannel())}
#: Channels that pay merchants out, by name. In a mode without one, settlements wait to be paid.
PAYOUT_CHANNELS: dict[str, PayoutChannel] = {_BANK.name: _BANK}
#: Channels that accept evidence against disputes.
DISPUTE_CHANNELS: dict[str, DisputeChannel] = {_BANK.name: _BANK}
PAYOUT_CHANNEL_BY_MODE: dict[str, str] = {"test": "sandbox"}
_T = TypeVar("_T")
log = structlog.get_logger(__name__)


class InsideTransactionError(RuntimeError):
    """A channel was about to be called inside a transaction, whose rollback could not undo the charge."""


def charge_all(charges: Iterable[tuple[_T, str, ChargeRequest]], *, within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Send charges and yield each answer as it comes.

    Nothing is sent once `within` has passed, so a charge without an answer after that was never sent.
    """
    calls = ((key, name, request.number, partial(CHANNELS[name].charge, request)) for key, name, request in charges)
    return _call_all(calls, within)


def refund_all(refunds: Iterable[tuple[_T, str, RefundRequest]], *, within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Send refunds, in the same way."""
    calls = ((key, name, request.number, partial(CHANNELS[name].refund, request)) for key, name, request in refunds)
    return _call_all(calls, within)


def pay_out_all(payouts: Iterable[tuple[_T, str, PayoutRequest]], *, within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Send payouts to merchants, in the same way."""
    calls = (
        (key, name, request.number, partial(PAYOUT_CHANNELS[name].pay_out, request)) for key, name, request in payouts
    )
    return _call_all(calls, within)


def query_all(calls: "Iterable[_Call[_T]]", *, within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Run query calls and yield each answer as it comes. Calls not started within the time are skipped."""
    return _call_all(calls, within)


def get_channel(name: str) -> BaseChannel:
    """The charge or payout channel with this name."""
    return CHANNELS[name] if name in CHANNELS else PAYOUT_CHANNELS[name]


_Call: TypeAlias = tuple[_T, str, str, Callable[[], Answer]]


def _call_all(calls: Iterable[_Call[_T]], within: timedelta) -> Iterator[tuple[_T, Answer]]:
    """Yield the answers. Channels that allow it are called in parallel, the others one call after another."""
    deadline = time.monotonic() + within.total_seconds()
    parallel: list[_Call[_T]] = []
    sequential: list[_Call[_T]] = []
    for item in calls:
        (sequential if _is_sequential(item) else parallel).append(item)
    with ExitStack() as pools:
        running = _submit_calls(parallel, deadline, pools)
        for key, name, number, call in sequential:
            if (answer := _call_before(deadline, call, name, number)) is not None:
                yield key, answer
        for key, future in running:
            if (answer := future.result()) is not None:
                yield key, answer


def _is_sequential(call: _Call[_T]) -> bool:
    return get_channel(call[1]).max_parallel_calls == 1


def _submit_calls(
    calls: Sequence[_Call[_T]], deadline: float, pools: ExitStack
) -> list[tuple[_T, Future[Answer | None]]]:
    """Start calls on one thread pool per channel, as large as the channel allows."""
    executors: dict[str, ThreadPoolExecutor] = {}
    for _, name, _, _ in calls:
        if name not in executors:
            executors[name] = pools.enter_context(
                ThreadPoolExecutor(get_channel(name).max_parallel_calls, thread_name_prefix=name)
            )
    return [
        (key, executors[name].submit(_call_before, deadline, call, name, number)) for key, name, number, call in calls
    ]


def _call_before(deadline: float, call: Callable[[], Answer], name: str, number: str) -> Answer | None:
    """The answer; None if the deadline has passed before the call."""
    return None if time.monotonic() >= deadline else _call_safely(call, name, number)


def query(name: str, number: str, *, at: datetime) -> Answer:
    """Query a channel for the outcome of a number."""
    return _call_safely(partial(get_channel(name).query, number, at=at), name, number)


def close(name: str, number: str, *, at: datetime) -> Answer:
    """Have a channel block a number for good, before a new attempt is made under another one."""
    return _call_safely(partial(get_channel(name).close, number, at=at), name, number)


def contest(name: str, txn: str, evidence: str, *, at: datetime) -> bool:
    """Submit evidence against a dispute. Returns whether the channel accepted it."""
    if in_transaction():
        raise InsideTransactionError
    try:
        DISPUTE_CHANNELS[name].contest(txn, evidence, at=at)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.exception("channel_broke", channel=name, txn=txn)
        return False
    return True


def query_ruling(name: str, txn: str, *, at: datetime) -> Ruling:
    """A channel's decision on a dispute; OPEN if the call fails."""
    if in_transaction():
        raise InsideTransactionError
    try:
        return DISPUTE_CHANNELS[name].query_ruling(txn, at=at)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.exception("channel_broke", channel=name, txn=txn)
        return Ruling.OPEN


def _call_safely(call: Callable[[], Answer], name: str, number: str) -> Answer:
    """The channel's answer. If the call raises, the outcome is unknown, not a failure."""
    if in_transaction():
        raise InsideTransactionError
    try:
        return call()
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.exception("channel_broke", channel=name, number=number)
        return Unknown("channel_broke")


__all__ = [
    "CHANNELS",
    "DISPUTE_CHANNELS",
    "PAYOUT_CHANNELS",
    "PAYOUT_CHANNEL_BY_MODE",
    "Answer",
    "Channel",
    "ChargeRequest",
    "Closed",
    "Declined",
    "NumberNotFound",
    "Payee",
    "PayoutRequest",
    "RefundRequest",
    "Ruling",
    "Succeeded",
    "Unknown",
    "charge_all",
    "close",
    "contest",
    "get_channel",
    "pay_out_all",
    "query",
    "query_all",
    "query_ruling",
    "refund_all",
]
