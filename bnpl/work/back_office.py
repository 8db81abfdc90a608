"""The kinds of work that wait for staff, and how long they may. Their alerts open a ticket and page nobody."""

from collections.abc import Mapping
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from billing.models import Break, Case, Dispute, Return
from bnpl.work.work_kind import RowQuery, WorkKind
from orders.models import Concern, Order

_DAY = timedelta(days=1)
_UNCLOSED = {"closed_at__isnull": "True"}

BACK_OFFICE: Mapping[str, WorkKind] = {
    "cases_open": WorkKind(
        description=_("Open cases by type: channel money or reports that need human judgement"),
        late=_DAY,
        stuck=3 * _DAY,
        rationale=_("back-office work: the money is safe in suspense, but it belongs to someone"),
        steps=(_("Open each one in the operations console, agree with the channel and close it."),),
        rows=RowQuery(
            model=Case,
            column="opened_at",
            includes_future=True,
            where="closed_at IS NULL",
            console_filters=_UNCLOSED,
            group_by="kind",
        ),
    ),
    "breaks_open": WorkKind(
        description=_("Discrepancies with channel statements, by type"),
        late=_DAY,
        stuck=3 * _DAY,
        rationale=_("the next day's file resolves those at day end; the rest is back-office work"),
        steps=(_("Decide each one in the operations console: move it to suspense, or mark it as no discrepancy."),),
        rows=RowQuery(
            model=Break,
            column="opened_at",
            includes_future=True,
            where="closed_at IS NULL",
            console_filters=_UNCLOSED,
            group_by="kind",
        ),
    ),
    "disputes_open": WorkKind(
        description=_("Deductions disputed by a channel and not yet answered"),
        late=3 * _DAY,
        stuck=6 * _DAY,
        rationale=_(
            "the channel accepts evidence for a number of days set by policy; after that the dispute is lost. The"
            " merchant may answer too"
        ),
        steps=(_("Submit evidence on its page in the operations console, or accept it and say who bears it."),),
        rows=RowQuery(
            model=Dispute,
            column="opened_at",
            includes_future=True,
            where="state = 'open'",
            console_filters={"state__exact": "open"},
        ),
    ),
    "returns_refused": WorkKind(
        description=_("Returns refused by merchants, waiting for our decision"),
        late=_DAY,
        stuck=3 * _DAY,
        rationale=_("back-office work: until decided, nobody bears the early refund"),
        steps=(
            _("Decide on its page in the operations console who bears it: the merchant, the customer or the platform."),
        ),
        rows=RowQuery(
            model=Return,
            column="opened_at",
            includes_future=True,
            where="state = 'refused'",
            console_filters={"state__exact": "refused"},
        ),
    ),
    "concerns_waiting": WorkKind(
        description=_("Customer requests waiting for our answer, by topic"),
        late=_DAY,
        stuck=3 * _DAY,
        rationale=_(
            "back-office work: answer within one working day; while a problem report waits, its order is paused"
        ),
        steps=(_("Answer at /ops/help/, the oldest first."),),
        rows=RowQuery(
            model=Concern,
            column="heard_at",
            includes_future=True,
            where="state = 'open' AND waits_for = 'staff'",
            console_filters={"state__exact": "open", "waits_for__exact": "staff"},
            group_by="kind",
        ),
    ),
    "orders_held": WorkKind(
        description=_("Orders open for sixty days, each holding part of its customer's credit limit"),
        late=61 * _DAY,
        stuck=90 * _DAY,
        rationale=_(
            "back-office work: only the merchant knows whether the service is still in use, so no order ends"
            " automatically"
        ),
        steps=(
            _(
                "Contact the merchant. If there is no answer, or the merchant has closed, cancel the order on its page"
                " in the operations console."
            ),
        ),
        rows=RowQuery(
            model=Order,
            column="opened_at",
            min_age=60 * _DAY,
            where="state = 'open'",
            console_filters={"state__exact": "open"},
        ),
    ),
}
