"""Every kind of work that may wait, with its thresholds and what to do when it waits longer.

The texts are marked for translation and stay English on a terminal, in the docs and in alerts; pages translate them.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from accounts.models import Delivery
from billing.models import Deduction, Payout, RefundPart, Settlement
from bnpl.work.back_office import BACK_OFFICE
from bnpl.work.processes import PROCESSES
from bnpl.work.work_kind import RowQuery, WorkKind
from credit.models import Profile
from merchants.models import Merchant, WebhookDelivery
from orders.models import ATTEMPTED_SQL, Obligation, Order

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_CHECK_SWEEP = _("Check the worker, queue and broker. If they are healthy, look for sweep_failed in the worker log.")

WORK_KINDS: Mapping[str, WorkKind] = {
    "obligations_due": WorkKind(
        description=_("Due, deduction not started"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        rationale=_("triggered every second; a batch takes a second or two, so a peak clears in half a minute"),
        steps=(
            _CHECK_SWEEP,
            _("Pending items are collected as soon as a worker runs; nothing is lost or deducted twice."),
        ),
        rows=RowQuery(model=Obligation, column="collect_at"),
    ),
    "sent_past_lease": WorkKind(
        description=_("Sent, but the sender never reported a result"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        rationale=_("queried every two seconds once the lease ends"),
        steps=(_CHECK_SWEEP, _("Never resend: the same job queries the channel.")),
        rows=RowQuery(
            model=Deduction, column="ask_at", where="state = 'sent'", console_filters={"state__exact": "sent"}
        ),
    ),
    "asks_due": WorkKind(
        description=_("Result unknown, channel query due"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        rationale=_("triggered every two seconds; a query takes as long as the channel takes"),
        steps=(_CHECK_SWEEP, _("A slow channel delays the job: compare the times of its reports.")),
        rows=RowQuery(
            model=Deduction, column="ask_at", where="state = 'unknown'", console_filters={"state__exact": "unknown"}
        ),
    ),
    "unknown": WorkKind(
        description=_("Result unknown, by channel, since sent"),
        late=10 * _MINUTE,
        stuck=_DAY,
        rationale=_("a channel is queried three times in ten minutes; after a day, once a day"),
        steps=(
            _(
                "Contact the channel with the deduction number; the result arrives automatically. Never resend,"
                " fail or close it by hand: the money may have been deducted."
            ),
        ),
        rows=RowQuery(
            model=Deduction,
            column="ask_at",
            includes_future=True,
            where="state = 'unknown'",
            console_filters={"state__exact": "unknown"},
            since="sent_at",
            group_by="channel",
        ),
    ),
    "refunds_to_ask": WorkKind(
        description=_("Refund in transit, channel query due"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        rationale=_("triggered every two seconds together with deduction queries"),
        steps=(_CHECK_SWEEP, _("Never resend: the same job queries the channel.")),
        rows=RowQuery(model=RefundPart, column="ask_at"),
    ),
    "refunds_to_send": WorkKind(
        description=_("Refund could not be completed, retry due"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        rationale=_("triggered every two seconds together with deduction queries"),
        steps=(
            _CHECK_SWEEP,
            _("It is resent under its own number, four times within two days; then it becomes a case."),
        ),
        rows=RowQuery(model=RefundPart, column="again_at"),
    ),
    "settlements_due": WorkKind(
        description=_("Merchants past cut-off, not yet settled"),
        late=10 * _MINUTE,
        stuck=2 * _HOUR,
        rationale=_(
            "triggered every ten seconds; most merchants cut off at the same midnight, and a large one takes minutes"
        ),
        steps=(
            _CHECK_SWEEP,
            _(
                "merchant_not_settled in the log names a merchant that cannot be settled."
                " Missed days are settled in order."
            ),
        ),
        rows=RowQuery(model=Merchant, column="settles_at"),
    ),
    "invoices_due": WorkKind(
        description=_("Merchants past month end, not yet invoiced"),
        late=2 * _HOUR,
        stuck=_DAY,
        rationale=_("triggered every ten seconds, once the month's last day is settled"),
        steps=(
            _CHECK_SWEEP,
            _(
                "merchant_not_invoiced in the log names a merchant that cannot be invoiced. A month waits for its last"
                " settlement."
            ),
        ),
        rows=RowQuery(model=Merchant, column="invoices_at"),
    ),
    "payouts_due": WorkKind(
        description=_("Settlements due for payout"),
        late=10 * _MINUTE,
        stuck=2 * _HOUR,
        rationale=_("triggered every ten seconds, as soon as they are settled"),
        steps=(_CHECK_SWEEP, _("Pending items are sent as soon as a worker runs.")),
        rows=RowQuery(model=Settlement, column="pay_at"),
    ),
    "payouts_to_ask": WorkKind(
        description=_("Payout in transit, bank query due"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        rationale=_("triggered every two seconds together with deduction queries"),
        steps=(_CHECK_SWEEP, _("Never resend: the same job queries the bank.")),
        rows=RowQuery(model=Payout, column="ask_at"),
    ),
    "callbacks_due": WorkKind(
        description=_("Sandbox bank callbacks not yet delivered"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        rationale=_(
            "triggered every two seconds; sandboxes only, since a real channel's callback is handled on arrival"
        ),
        steps=(_CHECK_SWEEP, _("No real money is waiting, only merchants' tests.")),
    ),
    "overdue_due": WorkKind(
        description=_("Past the grace period, deduction failed, not yet marked overdue"),
        late=2 * _MINUTE,
        stuck=_HOUR,
        rationale=_(
            "triggered every ten seconds; a delay only favours the customer, but new orders are not refused meanwhile"
        ),
        steps=(_CHECK_SWEEP,),
        rows=RowQuery(
            model=Obligation,
            column="overdue_from",
            where=f"in_flight IS NULL AND {ATTEMPTED_SQL}",
            console_filters={"in_flight__isnull": "True"},
        ),
    ),
    "day_ends_due": WorkKind(
        description=_("Ended days not yet processed"),
        late=_HOUR,
        stuck=12 * _HOUR,
        rationale=_(
            "all overdue debts end their day at the same midnight: an hour is a long queue, half a day is not a queue"
            " but a fault"
        ),
        steps=(_CHECK_SWEEP, _("Missed days are processed in order, each with its own late fee.")),
        rows=RowQuery(
            model=Obligation,
            column="day_end_at",
            where="day_end_error = '' AND in_flight IS NULL AND kind <> 'late_fee'",
            console_filters={"day_end_error__exact": "", "in_flight__isnull": "True", "kind__in": "principal,advance"},
        ),
    ),
    "day_ends_failed": WorkKind(
        description=_("Days that could not be processed: each needs manual handling"),
        late=timedelta(),
        stuck=timedelta(),
        rationale=_("a row with an error is skipped until someone has handled it, so even one is too many"),
        steps=(
            _("Read day_end_error on the obligation. Fix the cause, then clear the field; missed days are made up."),
        ),
        rows=RowQuery(
            model=Obligation,
            column="day_end_at",
            includes_future=True,
            where="day_end_error > ''",
            console_filters={"day_end_error__gt": "", "day_end_at__isnull": "False"},
        ),
    ),
    "orders_expiring": WorkKind(
        description=_("Unconfirmed for thirty days, not yet expired"),
        late=10 * _MINUTE,
        stuck=6 * _HOUR,
        rationale=_("triggered every minute; such an order holds no credit limit, so nobody is affected"),
        steps=(_CHECK_SWEEP,),
        rows=RowQuery(model=Order, column="expires_at"),
    ),
    "limits_to_review": WorkKind(
        description=_("Credit limits due for review"),
        late=_HOUR,
        stuck=_DAY,
        rationale=_("triggered every minute; a limit reviewed a day late harms nobody"),
        steps=(_CHECK_SWEEP,),
        rows=RowQuery(model=Profile, column="review_at"),
    ),
    "notices_due": WorkKind(
        description=_("Notices due but not sent"),
        late=2 * _MINUTE,
        stuck=30 * _MINUTE,
        rationale=_(
            "triggered every two seconds; half an hour late, people are told of deductions they have already seen"
        ),
        steps=(_("Check reason on the deliveries: if set, the sender is failing. If empty:"), _CHECK_SWEEP),
        rows=RowQuery(model=Delivery, column="next_at"),
    ),
    "webhooks_due": WorkKind(
        description=_("Events not yet sent to an endpoint that last responded normally"),
        late=30 * _SECOND,
        stuck=10 * _MINUTE,
        rationale=_("triggered every second; a slow endpoint only delays itself, and failing ones are not counted"),
        steps=(
            _(
                "Check that a courier (the worker of the webhooks queue) is running. Then check the endpoint's"
                " deliveries: one with many due is slow or has just been sent everything again. Nothing is lost:"
                " everything is in /v1/events."
            ),
        ),
        rows=RowQuery(
            model=WebhookDelivery,
            column="next_at",
            where="endpoint_id IN (SELECT id FROM merchants_webhookendpoint WHERE failing_from IS NULL)",
            console_filters={"endpoint__failing_from__isnull": "True"},
        ),
    ),
    **BACK_OFFICE,
    **PROCESSES,
}
