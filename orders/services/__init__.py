"""Commands on orders and their obligations: opening, completion, collection, plans, refunds and write-offs."""

from orders.rules import PlanOffer
from orders.services.advances import charge_advance_to_merchant, charge_advance_to_person, write_off_advance
from orders.services.ageing import DAY_END_SWEEP, OVERDUE_SWEEP, close_days, mark_overdue
from orders.services.approvals import reduced_alone_minor, removal_needs_approval
from orders.services.claims import (
    Release,
    claim_obligations,
    collectable_obligations,
    is_collectable,
    lock_due,
    lock_due_of,
    lock_obligation,
    lock_owed,
    lock_owed_by,
    lock_planned_of,
    lock_unplanned_of,
    people_due,
    release_obligations,
    replace_plans,
    take_person_lock,
)
from orders.services.completion import cancel_order, complete_order, mark_paid, reduce_total
from orders.services.completion_request import CompletionRequest
from orders.services.concern_decisions import decide_objection, decide_report
from orders.services.concerns import (
    add_message,
    can_report,
    object_to_decision,
    report_problem,
    request_plan,
    withdraw_concern,
)
from orders.services.expiry import EXPIRY_SWEEP, expire_unconfirmed
from orders.services.fee_waivers import waivable_fees, waive_fees, waive_fees_of_refunded
from orders.services.hardship_plans import choose_plan, grant_plan, refuse_plan
from orders.services.hardship_policy import preview_hardship_terms, validate_hardship_terms
from orders.services.late_fee_policy import preview_late_terms
from orders.services.opening import OpenResult, confirm_order, decline_order, open_order
from orders.services.order_request import OrderRequest
from orders.services.pauses import pause_order, resume_order
from orders.services.payments import Payment, receive_payments
from orders.services.refunds import (
    Refundable,
    charge_refund_to_merchant,
    lock_refundable,
    pause_for_refund,
    record_refund,
    resume_after_refund,
    uncharge_refund,
)
from orders.services.returned_deductions import ReturnedAmount, assign_loss, can_reopen, reopen_debts
from orders.services.write_offs import write_off, write_off_candidates

__all__ = [
    "DAY_END_SWEEP",
    "EXPIRY_SWEEP",
    "OVERDUE_SWEEP",
    "CompletionRequest",
    "OpenResult",
    "OrderRequest",
    "Payment",
    "PlanOffer",
    "Refundable",
    "Release",
    "ReturnedAmount",
    "add_message",
    "assign_loss",
    "can_reopen",
    "can_report",
    "cancel_order",
    "charge_advance_to_merchant",
    "charge_advance_to_person",
    "charge_refund_to_merchant",
    "choose_plan",
    "claim_obligations",
    "close_days",
    "collectable_obligations",
    "complete_order",
    "confirm_order",
    "decide_objection",
    "decide_report",
    "decline_order",
    "expire_unconfirmed",
    "grant_plan",
    "is_collectable",
    "lock_due",
    "lock_due_of",
    "lock_obligation",
    "lock_owed",
    "lock_owed_by",
    "lock_planned_of",
    "lock_refundable",
    "lock_unplanned_of",
    "mark_overdue",
    "mark_paid",
    "object_to_decision",
    "open_order",
    "pause_for_refund",
    "pause_order",
    "people_due",
    "preview_hardship_terms",
    "preview_late_terms",
    "receive_payments",
    "record_refund",
    "reduce_total",
    "reduced_alone_minor",
    "refuse_plan",
    "release_obligations",
    "removal_needs_approval",
    "reopen_debts",
    "replace_plans",
    "report_problem",
    "request_plan",
    "resume_after_refund",
    "resume_order",
    "take_person_lock",
    "uncharge_refund",
    "validate_hardship_terms",
    "waivable_fees",
    "waive_fees",
    "waive_fees_of_refunded",
    "withdraw_concern",
    "write_off",
    "write_off_advance",
    "write_off_candidates",
]
