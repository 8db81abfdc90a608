"""Verbs of orders, by what they are about: opening, finishing, and what collection reports back."""

from orders.services.age import DAYS_ENDING, GOING_OVERDUE, close_days, mark_overdue
from orders.services.claims import (
    Release,
    claim,
    lock_due,
    lock_obligation,
    lock_owed,
    lock_owed_by,
    lock_unplanned_of,
    release,
    replan,
)
from orders.services.collect import Payment, receive
from orders.services.finish import Final, cancel_order, complete_order, lower_total, mark_paid
from orders.services.lose import losable, write_off
from orders.services.pause import pause_order, resume_order
from orders.services.refund import Refundable, give_back, go_on_after_refund, lock_refundable, stop_for_refund
from orders.services.start import (
    UNCONFIRMED,
    Opening,
    Wish,
    confirm_order,
    decline_order,
    expire_unconfirmed,
    open_order,
)

__all__ = [
    "DAYS_ENDING",
    "GOING_OVERDUE",
    "UNCONFIRMED",
    "Final",
    "Opening",
    "Payment",
    "Refundable",
    "Release",
    "Wish",
    "cancel_order",
    "claim",
    "close_days",
    "complete_order",
    "confirm_order",
    "decline_order",
    "expire_unconfirmed",
    "give_back",
    "go_on_after_refund",
    "lock_due",
    "lock_obligation",
    "lock_owed",
    "lock_owed_by",
    "lock_refundable",
    "lock_unplanned_of",
    "losable",
    "lower_total",
    "mark_overdue",
    "mark_paid",
    "open_order",
    "pause_order",
    "receive",
    "release",
    "replan",
    "resume_order",
    "stop_for_refund",
    "write_off",
]
