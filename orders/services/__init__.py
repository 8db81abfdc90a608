"""Verbs of orders, by what they are about: opening, finishing, and what collection reports back."""

from orders.rules import Offer
from orders.services.advance import bear_return, lose_advance, owe_advance
from orders.services.age import DAYS_ENDING, GOING_OVERDUE, close_days, mark_overdue
from orders.services.claims import (
    Release,
    claim,
    collectable,
    is_collectable,
    lock_due,
    lock_due_of,
    lock_obligation,
    lock_owed,
    lock_owed_by,
    lock_planned_of,
    lock_unplanned_of,
    people_due,
    release,
    replan,
)
from orders.services.collect import Payment, receive
from orders.services.concerns import ask_for_help, object_to, report_problem, reportable, say, withdraw_concern
from orders.services.ease import ease, grant_ease, refuse_ease
from orders.services.easepolicy import foresee_ease, judge_ease
from orders.services.expire import UNCONFIRMED, expire_unconfirmed
from orders.services.finish import Final, cancel_order, complete_order, lower_total, mark_paid
from orders.services.judge import decide_objection, decide_report
from orders.services.latepolicy import foresee_late_terms
from orders.services.lose import losable, write_off
from orders.services.pause import pause_order, resume_order
from orders.services.refund import (
    Refundable,
    bear_again,
    bear_no_more,
    give_back,
    go_on_after_refund,
    lock_refundable,
    stop_for_refund,
)
from orders.services.reopen import TakenBack, bear, owe_again, reopenable
from orders.services.start import Opening, Wish, confirm_order, decline_order, open_order
from orders.services.waive import forgive_refunded, waivable, waive_fees

__all__ = [
    "DAYS_ENDING",
    "GOING_OVERDUE",
    "UNCONFIRMED",
    "Final",
    "Offer",
    "Opening",
    "Payment",
    "Refundable",
    "Release",
    "TakenBack",
    "Wish",
    "ask_for_help",
    "bear",
    "bear_again",
    "bear_no_more",
    "bear_return",
    "cancel_order",
    "claim",
    "close_days",
    "collectable",
    "complete_order",
    "confirm_order",
    "decide_objection",
    "decide_report",
    "decline_order",
    "ease",
    "expire_unconfirmed",
    "foresee_ease",
    "foresee_late_terms",
    "forgive_refunded",
    "give_back",
    "go_on_after_refund",
    "grant_ease",
    "is_collectable",
    "judge_ease",
    "lock_due",
    "lock_due_of",
    "lock_obligation",
    "lock_owed",
    "lock_owed_by",
    "lock_planned_of",
    "lock_refundable",
    "lock_unplanned_of",
    "losable",
    "lose_advance",
    "lower_total",
    "mark_overdue",
    "mark_paid",
    "object_to",
    "open_order",
    "owe_advance",
    "owe_again",
    "pause_order",
    "people_due",
    "receive",
    "refuse_ease",
    "release",
    "reopenable",
    "replan",
    "report_problem",
    "reportable",
    "resume_order",
    "say",
    "stop_for_refund",
    "waivable",
    "waive_fees",
    "withdraw_concern",
    "write_off",
]
