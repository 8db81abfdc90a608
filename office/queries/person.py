"""Everything about one person for the console, in a fixed number of queries."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from django.db.models import F, Model, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from accounts.models import Contact, Notice, Person
from billing.models import Case, Deduction, Dispute, Instrument, Refund, Return, Wallet
from credit.models import Agreement, CurrencyLimit, Decision, LimitChange, Limited, Profile, ScoreChange
from credit.queries import currency_limits_of, decisions_of, score_changes_of, services_opened_by
from kernel.console_lists import COUNT_MAX
from orders.models import Concern, Obligation, Order, Pause
from orders.queries import concerns_of
from personal.models import Erasure
from personal.queries import active_erasure_of

#: At most this many rows of a kind are shown; the admin lists have them all.
ROWS_MAX, SHORT_ROWS_MAX = 20, 10
_M = TypeVar("_M", bound=Model)
_T = TypeVar("_T")
#: Whether the viewer may read a model.
CanRead = Callable[[type[Model]], bool]


@dataclass(frozen=True, slots=True)
class Excerpt(Generic[_T]):
    """The first rows of a list, and how many more there are, counted up to `COUNT_MAX`."""

    rows: Sequence[_T] = ()
    more: int = 0

    def __iter__(self) -> Iterator[_T]:
        return iter(self.rows)

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def count(self) -> str:
        """The total, with "+" if it is only a lower bound."""
        return f"{len(self.rows) + self.more}{'+' if self.at_least else ''}"

    @property
    def at_least(self) -> bool:
        """Whether the total is only a lower bound."""
        return len(self.rows) + self.more >= COUNT_MAX


@dataclass(frozen=True, slots=True)
class Debt:
    """An unpaid obligation with the deduction in flight for it and its order's open pauses."""

    row: Obligation
    deduction: Deduction | None
    pauses: Sequence[Pause]


@dataclass(frozen=True, slots=True)
class CurrencyBalance:
    """A person's credit limit and debt in one currency, with the overdue and written-off parts."""

    currency: str
    limit: Limited | None
    owed_minor: int = 0
    overdue_minor: int = 0
    written_off_minor: int = 0


@dataclass(frozen=True, slots=True)
class PersonDetail:
    """A person's credit, debts and recent activity.

    Newest first, but debts oldest first, and undecided items before decided ones.
    """

    person: Person
    erasure: Erasure | None
    profile: Profile | None
    #: One entry per currency with a limit or a debt, the person's own currency first.
    balances: Sequence[CurrencyBalance]
    debts: Excerpt[Debt]
    live_deductions: Excerpt[Deduction]
    score_changes: Excerpt[ScoreChange]
    limit_changes: Excerpt[LimitChange]
    decisions: Excerpt[Decision]
    orders: Excerpt[Order]
    agreements: Excerpt[Agreement]
    instruments: Excerpt[Instrument]
    wallet: Wallet | None
    disputes: Excerpt[Dispute]
    refunds: Excerpt[Refund]
    returns: Excerpt[Return]
    concerns: Excerpt[Concern]
    cases: Excerpt[Case]
    notices: Excerpt[Notice]
    contacts: Excerpt[Contact]


def excerpt(rows: "QuerySet[_M]", most: int = ROWS_MAX) -> Excerpt[_M]:
    """The first `most` rows; the rest is counted only if there is one."""
    found = list(rows[: most + 1])
    if len(found) <= most:
        return Excerpt(found)
    return Excerpt(found[:most], rows.order_by()[:COUNT_MAX].count() - most)


def person_detail(person_id: UUID, can_read: CanRead) -> PersonDetail | None:
    """The person's detail without models the viewer may not read; None if there is no such person."""
    person = Person.objects.select_related("realm", "user").filter(pk=person_id).first()
    if person is None:
        return None

    def if_readable(rows: "QuerySet[_M]", most: int = ROWS_MAX) -> Excerpt[_M]:
        return excerpt(rows, most) if can_read(rows.model) else Excerpt()

    def undecided_first(rows: "QuerySet[_M]", ended: str) -> Excerpt[_M]:
        """Undecided rows first, then the latest decided."""
        return if_readable(rows.order_by(F(ended).desc(nulls_first=True), "-id"), SHORT_ROWS_MAX)

    live_deductions = if_readable(_live_deductions(person_id))
    debts = if_readable(_debts(person_id))
    profile = Profile.objects.filter(pk=person_id).first() if can_read(Profile) else None
    return PersonDetail(
        person=person,
        erasure=active_erasure_of(person_id) if can_read(Erasure) else None,
        profile=profile,
        balances=_balances(person_id, profile) if can_read(Obligation) and can_read(CurrencyLimit) else [],
        debts=Excerpt(_with_payment_status(debts.rows, live_deductions.rows), debts.more),
        live_deductions=live_deductions,
        score_changes=if_readable(score_changes_of(person_id), SHORT_ROWS_MAX),
        limit_changes=if_readable(LimitChange.objects.filter(person_id=person_id).order_by("-id"), SHORT_ROWS_MAX),
        decisions=if_readable(decisions_of(person_id), SHORT_ROWS_MAX),
        orders=if_readable(Order.objects.select_related("merchant").filter(person_id=person_id).order_by("-id")),
        agreements=if_readable(services_opened_by(person_id)),
        instruments=if_readable(Instrument.objects.filter(person_id=person_id).order_by("priority", "id")),
        wallet=Wallet.objects.filter(pk=person_id).first() if can_read(Wallet) else None,
        disputes=undecided_first(Dispute.objects.filter(person_id=person_id), "resolved_at"),
        refunds=undecided_first(Refund.objects.select_related("order").filter(person_id=person_id), "resolved_at"),
        # By their orders: those have an index, and of returns only the undecided have one by their person.
        returns=undecided_first(
            Return.objects.select_related("order").filter(order__person_id=person_id), "resolved_at"
        ),
        concerns=undecided_first(concerns_of(person_id), "closed_at"),
        cases=undecided_first(_cases(person_id), "closed_at"),
        notices=if_readable(Notice.objects.filter(person_id=person_id).prefetch_related("deliveries").order_by("-id")),
        contacts=if_readable(Contact.objects.filter(person_id=person_id).order_by("-at", "-id")),
    )


def _debts(person_id: UUID) -> "QuerySet[Obligation]":
    """The person's unpaid obligations, the oldest first."""
    rows = Obligation.objects.select_related("order__merchant")
    return rows.filter(person_id=person_id, state__in=Obligation.PAYABLE).order_by("due_at", "id")


def _live_deductions(person_id: UUID) -> "QuerySet[Deduction]":
    rows = Deduction.objects.select_related("instrument")
    return rows.filter(person_id=person_id, state__in=Deduction.LIVE).order_by("-id")


def _with_payment_status(rows: Sequence[Obligation], live_deductions: Sequence[Deduction]) -> list[Debt]:
    """Each obligation with its deduction in flight and its open pauses."""
    by_id = {row.id: row for row in live_deductions}
    pauses: dict[UUID, list[Pause]] = {row.order_id: [] for row in rows if row.paused_at}
    for pause in Pause.objects.filter(order__in=pauses, ended_at__isnull=True).order_by("id"):
        pauses[pause.order_id].append(pause)
    return [
        Debt(row, by_id.get(row.in_flight) if row.in_flight else None, pauses.get(row.order_id, ())) for row in rows
    ]


def _balances(person_id: UUID, profile: Profile | None) -> list[CurrencyBalance]:
    """Limits and total debts by currency; totals cover all debts, not only the ones shown."""
    limits: dict[str, Limited] = {
        row.currency: row for row in (*filter(None, [profile]), *currency_limits_of(person_id))
    }
    unpaid = F("amount_minor") - F("paid_minor")
    rows = Obligation.objects.filter(person_id=person_id, state__in=Obligation.PAYABLE).order_by("currency")
    sums = rows.values_list("currency").annotate(
        whole=Sum(unpaid),
        overdue=Coalesce(Sum(unpaid, filter=Q(state=Obligation.State.OVERDUE)), 0),
        lost=Coalesce(Sum(unpaid, filter=Q(state=Obligation.State.WRITTEN_OFF)), 0),
    )
    owed = {currency: amounts for currency, *amounts in sums}
    return [CurrencyBalance(code, limits.get(code), *owed.get(code, ())) for code in dict.fromkeys([*limits, *owed])]


def _cases(person_id: UUID) -> "QuerySet[Case]":
    """Cases about the person's deductions or refunds."""
    about = Q(deduction__person_id=person_id) | Q(refund_part__refund__person_id=person_id)
    return Case.objects.select_related("deduction", "refund_part", "payout").filter(about)
