"""What waits for colleagues, and how long it may: it makes a ticket and wakes nobody."""

from collections.abc import Mapping
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from billing.models import Break, Case, Dispute, Return
from bnpl.work.kind import Kind, Rows
from orders.models import Concern, Order

_DAY = timedelta(days=1)
_UNCLOSED = {"closed_at__isnull": "True"}

BACK_OFFICE: Mapping[str, Kind] = {
    "cases_open": Kind(
        says=_("Open cases by type: channel money or reports that need human judgement"),
        late=_DAY,
        stuck=3 * _DAY,
        because=_("back-office work: the money is safe in suspense, but it belongs to someone"),
        steps=(_("Open each one in the operations console, agree with the channel and close it."),),
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
        says=_("Discrepancies with channel statements, by type"),
        late=_DAY,
        stuck=3 * _DAY,
        because=_("the next day's file resolves those at day end; the rest is back-office work"),
        steps=(_("Decide each one in the operations console: move it to suspense, or mark it as no discrepancy."),),
        rows=Rows(model=Break, column="opened_at", whole=True, where="closed_at IS NULL", look=_UNCLOSED, of="kind"),
    ),
    "disputes_open": Kind(
        says=_("Deductions disputed by a channel and not yet answered"),
        late=3 * _DAY,
        stuck=6 * _DAY,
        because=_(
            "the channel accepts evidence for a number of days set by policy; after that the dispute is lost. The"
            " merchant may answer too"
        ),
        steps=(_("Submit evidence on its page in the operations console, or accept it and say who bears it."),),
        rows=Rows(model=Dispute, column="opened_at", whole=True, where="state = 'open'", look={"state__exact": "open"}),
    ),
    "returns_refused": Kind(
        says=_("Returns refused by merchants, waiting for our decision"),
        late=_DAY,
        stuck=3 * _DAY,
        because=_("back-office work: until decided, nobody bears the early refund"),
        steps=(
            _("Decide on its page in the operations console who bears it: the merchant, the customer or the platform."),
        ),
        rows=Rows(
            model=Return, column="opened_at", whole=True, where="state = 'refused'", look={"state__exact": "refused"}
        ),
    ),
    "concerns_waiting": Kind(
        says=_("Customer requests waiting for our answer, by topic"),
        late=_DAY,
        stuck=3 * _DAY,
        because=_("back-office work: answer within one working day; while a problem report waits, its order is paused"),
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
    "orders_held": Kind(
        says=_("Orders open for sixty days, each holding part of its customer's credit limit"),
        late=61 * _DAY,
        stuck=90 * _DAY,
        because=_(
            "back-office work: only the merchant knows whether the service is still in use, so no order ends"
            " automatically"
        ),
        steps=(
            _(
                "Contact the merchant. If there is no answer, or the merchant has closed, cancel the order on its page"
                " in the operations console."
            ),
        ),
        rows=Rows(
            model=Order,
            column="opened_at",
            after=60 * _DAY,
            where="state = 'open'",
            look={"state__exact": "open"},
        ),
    ),
}
