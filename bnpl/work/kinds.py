"""What may wait in this house, how long it may, and what to do when it waits longer. All thresholds stand here.

The words are marked for translation and stay English: at a terminal, in the docs and in alerts. A page translates them.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from accounts.models import Delivery
from billing.models import Break, Case, Deduction, Dispute, Payout, RefundPart, Return, Settlement
from bnpl.work.kind import Kind, Rows
from bnpl.work.processes import PROCESSES
from credit.models import Profile
from merchants.models import Merchant, WebhookDelivery
from orders.models import ASKED, Concern, Obligation, Order

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_UNCLOSED = {"closed_at__isnull": "True"}
_SWEPT = _("See worker, queue and broker. If they are well, look for sweep_failed in the worker's log.")

KINDS: Mapping[str, Kind] = {
    "obligations_due": Kind(
        says=_("Due, and not yet asked for"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because=_("rung every second, and a batch takes a second or two: a peak is gone in half a minute"),
        steps=(
            _SWEPT,
            _("What waits is collected as soon as somebody sweeps; nothing is lost, and nothing taken twice."),
        ),
        rows=Rows(model=Obligation, column="collect_at"),
    ),
    "sent_past_lease": Kind(
        says=_("Sent, and whoever sent it never said how it ended"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because=_("asked about every two seconds from the end of the lease on"),
        steps=(_SWEPT, _("Never send one again: the same job asks the channel about it.")),
        rows=Rows(model=Deduction, column="ask_at", where="state = 'sent'", look={"state__exact": "sent"}),
    ),
    "asks_due": Kind(
        says=_("Unknown, and it is time to ask the channel"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because=_("rung every two seconds; asking takes as long as the channel does"),
        steps=(_SWEPT, _("A slow channel holds the job up: compare the times of its reports.")),
        rows=Rows(model=Deduction, column="ask_at", where="state = 'unknown'", look={"state__exact": "unknown"}),
    ),
    "unknown": Kind(
        says=_("Outcome unknown, by channel, since it was sent"),
        late=10 * _MINUTE,
        stuck=_DAY,
        because=_("by ten minutes a channel was asked three times; after a day it is asked once a day"),
        steps=(
            _(
                "Call the channel with the deduction's number; its answer arrives by itself. Never send, "
                "fail or close it by hand: the money may have been taken."
            ),
        ),
        rows=Rows(
            model=Deduction,
            column="ask_at",
            whole=True,
            where="state = 'unknown'",
            look={"state__exact": "unknown"},
            since="sent_at",
            of="channel",
        ),
    ),
    "refunds_to_ask": Kind(
        says=_("Money on its way back, and it is time to ask the channel"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because=_("rung every two seconds together with the asks about deductions"),
        steps=(_SWEPT, _("Never send one again: the same job asks the channel about it.")),
        rows=Rows(model=RefundPart, column="ask_at"),
    ),
    "refunds_to_send": Kind(
        says=_("Money that could not be given back, and it is time to send it again"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because=_("rung every two seconds together with the asks about deductions"),
        steps=(_SWEPT, _("It is sent again under its own number, four times within two days; then it is a case.")),
        rows=Rows(model=RefundPart, column="again_at"),
    ),
    "settlements_due": Kind(
        says=_("Merchants whose day has ended, and is not yet settled"),
        late=10 * _MINUTE,
        stuck=2 * _HOUR,
        because=_("rung every ten seconds; most days end at one midnight, and a large one takes minutes"),
        steps=(_SWEPT, _("merchant_not_settled there names one that cannot be. Missed days are settled in order.")),
        rows=Rows(model=Merchant, column="settles_at"),
    ),
    "invoices_due": Kind(
        says=_("Merchants whose month has ended, and is not yet invoiced"),
        late=2 * _HOUR,
        stuck=_DAY,
        because=_("rung every ten seconds, once the month's last day is settled"),
        steps=(
            _SWEPT,
            _("merchant_not_invoiced there names one that cannot be. A month waits for its last settlement."),
        ),
        rows=Rows(model=Merchant, column="invoices_at"),
    ),
    "payouts_due": Kind(
        says=_("Settlements that should have been sent to their merchant"),
        late=10 * _MINUTE,
        stuck=2 * _HOUR,
        because=_("rung every ten seconds, as soon as they are settled"),
        steps=(_SWEPT, _("What waits is sent as soon as somebody sweeps.")),
        rows=Rows(model=Settlement, column="pay_at"),
    ),
    "payouts_to_ask": Kind(
        says=_("Money on its way to a merchant, and it is time to ask the bank"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because=_("rung every two seconds together with the asks about deductions"),
        steps=(_SWEPT, _("Never send one again: the same job asks the bank about it.")),
        rows=Rows(model=Payout, column="ask_at"),
    ),
    "callbacks_due": Kind(
        says=_("Callbacks of the sandbox bank not yet delivered"),
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because=_("rung every two seconds; sandboxes only, a real channel's callback is acted on when it comes"),
        steps=(_SWEPT, _("Nobody's money waits: merchants' tests do.")),
    ),
    "overdue_due": Kind(
        says=_("Past its grace, asked for, and not yet marked overdue"),
        late=2 * _MINUTE,
        stuck=_HOUR,
        because=_("rung every ten seconds; late it only spares somebody, but new orders are not refused meanwhile"),
        steps=(_SWEPT,),
        rows=Rows(
            model=Obligation,
            column="overdue_from",
            where=f"in_flight IS NULL AND {ASKED}",
            look={"in_flight__isnull": "True"},
        ),
    ),
    "day_ends_due": Kind(
        says=_("Days that have ended, and are not yet counted"),
        late=_HOUR,
        stuck=12 * _HOUR,
        because=_("everything overdue ends its day at one midnight: an hour is a long queue, half a day is no queue"),
        steps=(_SWEPT, _("Missed days are caught up in order, each with its own fee.")),
        rows=Rows(
            model=Obligation,
            column="day_end_at",
            where="day_end_error = '' AND in_flight IS NULL AND kind <> 'late_fee'",
            look={"day_end_error__exact": "", "in_flight__isnull": "True", "kind__in": "principal,advance"},
        ),
    ),
    "day_ends_failed": Kind(
        says=_("Days that could not be counted: each waits for a person"),
        late=timedelta(),
        stuck=timedelta(),
        because=_("a row with an error is left out until somebody has looked, so one is one too many"),
        steps=(
            _("Read day_end_error on the obligation. Mend the cause, then empty that field: its days are made up for."),
        ),
        rows=Rows(
            model=Obligation,
            column="day_end_at",
            whole=True,
            where="day_end_error > ''",
            look={"day_end_error__gt": "", "day_end_at__isnull": "False"},
        ),
    ),
    "orders_expiring": Kind(
        says=_("Never confirmed in thirty days, and not yet ended"),
        late=10 * _MINUTE,
        stuck=6 * _HOUR,
        because=_("rung every minute; nothing is held for such an order, so nobody feels it"),
        steps=(_SWEPT,),
        rows=Rows(model=Order, column="expires_at"),
    ),
    "orders_held": Kind(
        says=_("Orders open for sixty days: each holds a part of its person's limit until its merchant ends it"),
        late=61 * _DAY,
        stuck=90 * _DAY,
        because=_("office work: only its merchant knows whether the service still runs, so no order ends by itself"),
        steps=(
            _("Ask the merchant. Who does not answer, or is gone: cancel the order on its own page in the console."),
        ),
        rows=Rows(
            model=Order,
            column="opened_at",
            after=60 * _DAY,
            where="state = 'open'",
            look={"state__exact": "open"},
        ),
    ),
    "limits_to_review": Kind(
        says=_("Limits whose day to be looked at has come"),
        late=_HOUR,
        stuck=_DAY,
        because=_("rung every minute; a limit that follows its score a day late hurts nobody"),
        steps=(_SWEPT,),
        rows=Rows(model=Profile, column="review_at"),
    ),
    "notices_due": Kind(
        says=_("Notices that should have gone out"),
        late=2 * _MINUTE,
        stuck=30 * _MINUTE,
        because=_("rung every two seconds; half an hour later people hear of debits they have already seen"),
        steps=(_("Look at reason on the deliveries: with one, the sender fails. Without:"), _SWEPT),
        rows=Rows(model=Delivery, column="next_at"),
    ),
    "webhooks_due": Kind(
        says=_("Events not yet sent to a merchant's endpoint, though it answered the last time"),
        late=30 * _SECOND,
        stuck=10 * _MINUTE,
        because=_("rung every second; an endpoint that is slow waits for itself, and one that fails is not counted"),
        steps=(
            _(
                "See that a courier runs: the worker of the queue webhooks. Then look at the endpoint's "
                "deliveries: one with many due is slow, or was just sent everything again. Nothing is lost: "
                "/v1/events has it all."
            ),
        ),
        rows=Rows(
            model=WebhookDelivery,
            column="next_at",
            where="endpoint_id IN (SELECT id FROM merchants_webhookendpoint WHERE failing_from IS NULL)",
            look={"endpoint__failing_from__isnull": "True"},
        ),
    ),
    "cases_open": Kind(
        says=_("Cases open, by kind: money or word of a channel that only a person can judge"),
        late=_DAY,
        stuck=3 * _DAY,
        because=_("office work: the money stands safely in suspense, but it is somebody's"),
        steps=(_("Look at each on its own page in the console, agree with the channel, and close it."),),
        rows=Rows(
            model=Case,
            column="opened_at",
            whole=True,
            where="closed_at IS NULL",
            look=_UNCLOSED,
            of="kind",
        ),
    ),
    "breaks_open": Kind(
        says=_("Differences from channels' statements, by kind"),
        late=_DAY,
        stuck=3 * _DAY,
        because=_("the next day's file explains those at the end of a day; the others are office work"),
        steps=(_("Judge each on its own page in the console: put it into suspense, or say that there is none."),),
        rows=Rows(model=Break, column="opened_at", whole=True, where="closed_at IS NULL", look=_UNCLOSED, of="kind"),
    ),
    "disputes_open": Kind(
        says=_("Debits that a channel took back, and that nobody has answered yet"),
        late=3 * _DAY,
        stuck=6 * _DAY,
        because=_("a channel hears us for some days, by the policy; then it is lost. Its merchant may answer too"),
        steps=(_("Answer it with evidence on its own page in the console, or give it up and say who bears it."),),
        rows=Rows(model=Dispute, column="opened_at", whole=True, where="state = 'open'", look={"state__exact": "open"}),
    ),
    "returns_refused": Kind(
        says=_("Returns that their merchants refused, and that colleagues decide"),
        late=_DAY,
        stuck=3 * _DAY,
        because=_("office work: until it is decided what was given back ahead is borne by nobody"),
        steps=(_("Say on its own page in the console who bears it: the merchant, the person, or we."),),
        rows=Rows(
            model=Return, column="opened_at", whole=True, where="state = 'refused'", look={"state__exact": "refused"}
        ),
    ),
    "concerns_waiting": Kind(
        says=_("People who asked for help and wait for an answer of ours, by what it is about"),
        late=_DAY,
        stuck=3 * _DAY,
        because=_("office work: a day is a working day's answer, and while a report waits its order stands still"),
        steps=(_("Answer at /ops/help/, the oldest first."),),
        rows=Rows(
            model=Concern,
            column="heard_at",
            whole=True,
            where="state = 'open' AND waits_for = 'staff'",
            look={"state__exact": "open", "waits_for__exact": "staff"},
            of="kind",
        ),
    ),
    **PROCESSES,
}
