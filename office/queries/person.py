"""One person with everything that answers them, in a number of questions that does not grow with them."""

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
from personal.queries import erasure_of

#: Of each kind no more are shown than this; the lists of the console have them all.
SHOWN_MAX, LESS_MAX = 20, 10
_M = TypeVar("_M", bound=Model)
_T = TypeVar("_T")
#: Whether whoever looks may read a table.
Reads = Callable[[type[Model]], bool]


@dataclass(frozen=True, slots=True)
class Few(Generic[_T]):
    """The first of a list, and how many more there are, counted no further than a list is."""

    rows: Sequence[_T] = ()
    more: int = 0

    def __iter__(self) -> Iterator[_T]:
        return iter(self.rows)

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def count(self) -> str:
        """How many there are in all."""
        return f"{len(self.rows) + self.more}{'+' if self.at_least else ''}"

    @property
    def at_least(self) -> bool:
        """Whether there may be more than were counted."""
        return len(self.rows) + self.more >= COUNT_MAX


@dataclass(frozen=True, slots=True)
class Debt:
    """Something that is owed, the deduction that is under way for it, and why its clock stands still, if it does."""

    row: Obligation
    under_way: Deduction | None
    held_by: Sequence[Pause]


@dataclass(frozen=True, slots=True)
class Standing:
    """One currency: what they may owe of it, what they owe, and what of that is overdue or was given up as lost."""

    currency: str
    limited: Limited | None
    owed_minor: int = 0
    overdue_minor: int = 0
    lost_minor: int = 0


@dataclass(frozen=True, slots=True)
class PersonStory:
    """A person, how they stand, and what happened with them of late.

    The newest stands first; of debts the oldest, and what is undecided before what is over.
    """

    person: Person
    erasure: Erasure | None
    profile: Profile | None
    #: Each currency they have a limit in or owe, their own first.
    standing: Sequence[Standing]
    debts: Few[Debt]
    under_way: Few[Deduction]
    score_moves: Few[ScoreChange]
    limit_moves: Few[LimitChange]
    decisions: Few[Decision]
    orders: Few[Order]
    services: Few[Agreement]
    instruments: Few[Instrument]
    wallet: Wallet | None
    disputes: Few[Dispute]
    refunds: Few[Refund]
    returns: Few[Return]
    concerns: Few[Concern]
    cases: Few[Case]
    notices: Few[Notice]
    contacts: Few[Contact]


def few(rows: "QuerySet[_M]", most: int = SHOWN_MAX) -> Few[_M]:
    """The first so many; they are counted only where there are more of them."""
    found = list(rows[: most + 1])
    if len(found) <= most:
        return Few(found)
    return Few(found[:most], rows.order_by()[:COUNT_MAX].count() - most)


def story_of(person_id: UUID, reads: Reads) -> PersonStory | None:
    """The person's story, without the tables that whoever asks may not read; None where there is no such person."""
    person = Person.objects.select_related("realm", "user").filter(pk=person_id).first()
    if person is None:
        return None

    def theirs(rows: "QuerySet[_M]", most: int = SHOWN_MAX) -> Few[_M]:
        return few(rows, most) if reads(rows.model) else Few()

    def matters(rows: "QuerySet[_M]", ended: str) -> Few[_M]:
        """What is undecided stands before whatever is over."""
        return theirs(rows.order_by(F(ended).desc(nulls_first=True), "-id"), LESS_MAX)

    under_way = theirs(_under_way(person_id))
    debts = theirs(_debts(person_id))
    profile = Profile.objects.filter(pk=person_id).first() if reads(Profile) else None
    return PersonStory(
        person=person,
        erasure=erasure_of(person_id) if reads(Erasure) else None,
        profile=profile,
        standing=_standing(person_id, profile) if reads(Obligation) and reads(CurrencyLimit) else [],
        debts=Few(_told(debts.rows, under_way.rows), debts.more),
        under_way=under_way,
        score_moves=theirs(score_changes_of(person_id), LESS_MAX),
        limit_moves=theirs(LimitChange.objects.filter(person_id=person_id).order_by("-id"), LESS_MAX),
        decisions=theirs(decisions_of(person_id), LESS_MAX),
        orders=theirs(Order.objects.select_related("merchant").filter(person_id=person_id).order_by("-id")),
        services=theirs(services_opened_by(person_id)),
        instruments=theirs(Instrument.objects.filter(person_id=person_id).order_by("priority", "id")),
        wallet=Wallet.objects.filter(pk=person_id).first() if reads(Wallet) else None,
        disputes=matters(Dispute.objects.filter(person_id=person_id), "resolved_at"),
        refunds=matters(Refund.objects.select_related("order").filter(person_id=person_id), "resolved_at"),
        # By their orders: those have an index, and of returns only the undecided have one by their person.
        returns=matters(Return.objects.select_related("order").filter(order__person_id=person_id), "resolved_at"),
        concerns=matters(concerns_of(person_id), "closed_at"),
        cases=matters(_cases(person_id), "closed_at"),
        notices=theirs(Notice.objects.filter(person_id=person_id).prefetch_related("deliveries").order_by("-id")),
        contacts=theirs(Contact.objects.filter(person_id=person_id).order_by("-at", "-id")),
    )


def _debts(person_id: UUID) -> "QuerySet[Obligation]":
    """What they may pay, the oldest first."""
    rows = Obligation.objects.select_related("order__merchant")
    return rows.filter(person_id=person_id, state__in=Obligation.PAYABLE).order_by("due_at", "id")


def _under_way(person_id: UUID) -> "QuerySet[Deduction]":
    rows = Deduction.objects.select_related("instrument")
    return rows.filter(person_id=person_id, state__in=Deduction.LIVE).order_by("-id")


def _told(rows: Sequence[Obligation], under_way: Sequence[Deduction]) -> list[Debt]:
    """Each with what is done about it at this moment."""
    asked = {row.id: row for row in under_way}
    held: dict[UUID, list[Pause]] = {row.order_id: [] for row in rows if row.paused_at}
    for pause in Pause.objects.filter(order__in=held, ended_at__isnull=True).order_by("id"):
        held[pause.order_id].append(pause)
    return [Debt(row, asked.get(row.in_flight) if row.in_flight else None, held.get(row.order_id, ())) for row in rows]


def _standing(person_id: UUID, profile: Profile | None) -> list[Standing]:
    """Limits and debts by currency: what is owed is added up whole, however long its list is."""
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
    return [Standing(code, limits.get(code), *owed.get(code, ())) for code in dict.fromkeys([*limits, *owed])]


def _cases(person_id: UUID) -> "QuerySet[Case]":
    """About a deduction from them, or a refund to them."""
    about = Q(deduction__person_id=person_id) | Q(refund_part__refund__person_id=person_id)
    return Case.objects.select_related("deduction", "refund_part", "payout").filter(about)
