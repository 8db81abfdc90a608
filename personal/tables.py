"""Where everything about a person stands: what a copy of their data holds, and what it leaves out, and why.

A test walks every table there is: one that leads to a person and is named in neither list fails it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import BinaryField, Model, Q, QuerySet

from accounts.models import AccountEvent, Contact, Delivery, Notice, Person, User
from billing.models import (
    Case,
    ChannelReport,
    Deduction,
    DeductionEvent,
    DeductionLine,
    Dispute,
    DisputeAnswer,
    DisputeEvent,
    DisputeLine,
    Instrument,
    InstrumentChange,
    Refund,
    RefundEvent,
    RefundPart,
    RefundPartEvent,
    Return,
    ReturnEvent,
    Wallet,
    WalletEntry,
)
from credit.models import Agreement, AgreementEvent, CurrencyLimit, Decision, LimitChange, Profile, ScoreChange
from kernel import ids
from ledger.models import Posting
from merchants.models import Event
from orders.models import (
    Concern,
    ConcernEvent,
    Message,
    Obligation,
    ObligationEvent,
    Order,
    OrderEvent,
    Pause,
    Plan,
)
from personal.models import Erasure, Export, Proof
from portal.models import Letter, Member

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Whose:
    """The person, and what they sign in with."""

    person: UUID
    user: UUID | None


@dataclass(frozen=True, slots=True)
class Part:
    """A table whose rows belong to rows of another one by the column `by`."""

    file: str
    model: type[Model]
    by: str
    parts: tuple["Part", ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows name their person, and the parts that hang on it."""

    file: str
    model: type[Model]
    mine: Callable[[Whose], Q]
    parts: tuple[Part, ...] = ()

    def rows(self, whose: Whose, *, after: str, limit: int) -> "QuerySet[Model]":
        rows = self.model._default_manager.filter(self.mine(whose)).order_by("pk")
        return (rows.filter(pk__gt=after) if after else rows)[:limit]


def _by_person(whose: Whose) -> Q:
    return Q(person_id=whose.person)


def _by_user(whose: Whose) -> Q:
    return Q(user_id=whose.user)


def _told(file: str) -> Part:
    """What merchants were told of it."""
    return Part(file, Event, "subject_id")


_REPORTED = (Part("channel_reports", ChannelReport, "deduction_id"), Part("cases", Case, "deduction_id"))
_GIVEN_BACK = (Part("channel_reports", ChannelReport, "refund_part_id"), Part("cases", Case, "refund_part_id"))
#: Everything, a table after the other; a file of the copy holds what stands under its name here.
TABLES: tuple[Table, ...] = (
    Table("person", Person, lambda whose: Q(pk=whose.person)),
    Table("sign_in", User, lambda whose: Q(pk=whose.user)),
    Table("email_addresses", EmailAddress, _by_user),
    Table("second_factors", Authenticator, _by_user),
    Table("browsers", UserSession, _by_user),
    Table("account_history", AccountEvent, lambda whose: _by_person(whose) | Q(user_id=whose.user, user__isnull=False)),
    Table("teams", Member, _by_user),
    Table("letters", Letter, _by_user),
    Table("notices", Notice, _by_person, (Part("notice_deliveries", Delivery, "notice_id"),)),
    Table("contacts", Contact, _by_person),
    Table("credit", Profile, _by_person),
    Table("limits_in_other_currencies", CurrencyLimit, _by_person),
    Table(
        "agreements",
        Agreement,
        _by_person,
        (Part("agreement_history", AgreementEvent, "subject_id"), _told("told_to_merchants")),
    ),
    Table("decisions", Decision, _by_person),
    Table("score_changes", ScoreChange, _by_person),
    Table("limit_changes", LimitChange, _by_person),
    Table(
        "orders",
        Order,
        _by_person,
        (
            Part("order_history", OrderEvent, "subject_id"),
            Part(
                "obligations",
                Obligation,
                "order_id",
                (
                    Part("obligation_history", ObligationEvent, "subject_id"),
                    Part("deduction_plans", Plan, "obligation_id"),
                ),
            ),
            Part("pauses", Pause, "order_id"),
            _told("told_to_merchants"),
        ),
    ),
    Table(
        "concerns",
        Concern,
        _by_person,
        (Part("concern_history", ConcernEvent, "subject_id"), Part("messages", Message, "concern_id")),
    ),
    Table("instruments", Instrument, _by_person, (Part("instrument_changes", InstrumentChange, "instrument_id"),)),
    Table(
        "deductions",
        Deduction,
        _by_person,
        (
            Part("deduction_history", DeductionEvent, "subject_id"),
            Part("deduction_lines", DeductionLine, "deduction_id"),
            *_REPORTED,
        ),
    ),
    Table(
        "refunds",
        Refund,
        _by_person,
        (
            Part("refund_history", RefundEvent, "subject_id"),
            Part(
                "refund_parts",
                RefundPart,
                "refund_id",
                (Part("refund_part_history", RefundPartEvent, "subject_id"), *_GIVEN_BACK),
            ),
            _told("told_to_merchants"),
        ),
    ),
    Table("returns", Return, _by_person, (Part("return_history", ReturnEvent, "subject_id"),)),
    Table(
        "disputes",
        Dispute,
        _by_person,
        (
            Part("dispute_history", DisputeEvent, "subject_id"),
            Part("dispute_lines", DisputeLine, "dispute_id"),
            Part("dispute_answers", DisputeAnswer, "dispute_id"),
        ),
    ),
    Table("wallet", Wallet, _by_person),
    Table("wallet_entries", WalletEntry, _by_person),
    Table("postings", Posting, lambda whose: Q(debit_owner=whose.person)),
    Table("postings", Posting, lambda whose: Q(credit_owner=whose.person) & ~Q(debit_owner=whose.person)),
    Table("proofs", Proof, _by_person),
    Table("exports", Export, _by_person),
    Table("erasures", Erasure, _by_person),
)
#: What leads to a person and is not copied, and why.
LEFT_OUT: Mapping[str, str] = {
    "personal.ExportPiece": "the copy itself",
    "merchants.WebhookDelivery": "how a merchant's own server answered; what it was told stands in told_to_merchants",
    "merchants.WebhookAttempt": "the same",
    "admin.LogEntry": "what a colleague did at the console; people have no console",
    "accounts.User_groups": "roles of colleagues",
    "accounts.User_user_permissions": "rights of colleagues",
    "accounts.EnrolmentCode": "what let a colleague set up a second step; people have no console",
    "kernel.IdempotencyKey": "answers that may be asked for again, sealed, thrown away after days",
    "account.EmailConfirmation": "keys that prove an address, good for minutes",
    "billing.Break": "where a channel's file and the book differ; the movement itself stands in deductions and refunds",
    "billing.SettlementLine": "what a merchant was paid",
    "office.Handling": "who of our colleagues sees to what waits; people have no console",
    "office.HandlingNote": "the same",
    "office.Listing": "a list that a colleague asked for; people have no console",
    "office.ListingPiece": "the same",
    "merchants.Change": "what a merchant's own staff changed about its services and keys",
}
#: Columns that are never copied: what would let somebody in, or take money.
WITHHELD = frozenset({"password", "token"})
#: The same of single tables.
WITHHELD_OF: Mapping[type[Model], frozenset[str]] = {
    Authenticator: frozenset({"data"}),  # the secret itself
    UserSession: frozenset({"session_key"}),
    User: frozenset({"is_superuser"}),
    Export: frozenset({"files", "after"}),
}


def files_of(parts: tuple[Table | Part, ...]) -> Iterator[str]:
    """Every file a copy has, in the order in which they are begun."""
    for part in parts:
        yield part.file
        yield from files_of(part.parts)


def plain(row: Model) -> Row:
    """A row as its person may have it: public ids, amounts in minor units, nothing that would let somebody in."""
    found = {name: shown(getattr(row, column)) for name, column, shown in _columns(type(row))}
    return found | {name: getattr(row, f"reveal_{name}")() for name in sealed_in(type(row))}


@cache
def sealed_in(model: type[Model]) -> tuple[str, ...]:
    """What stands sealed in a table: each has a `reveal_…` of its own."""
    columns = (field.name for field in model._meta.concrete_fields if isinstance(field, BinaryField))
    return tuple(name.removesuffix("_sealed") for name in columns if name.endswith("_sealed"))


@cache
def _columns(model: type[Model]) -> tuple[tuple[str, str, Callable[[Any], Any]], ...]:
    hidden = WITHHELD | WITHHELD_OF.get(model, frozenset())
    return tuple(
        (field.name, field.attname, _shown(field))
        for field in model._meta.concrete_fields
        if field.name not in hidden and not isinstance(field, BinaryField)
    )


def _shown(field: Any) -> Callable[[Any], Any]:
    """How a column's values are written: a key by its public id, a colleague without a name."""
    target = field.model if field.primary_key else field.related_model
    prefix = getattr(target, "prefix", None) if field.primary_key or field.is_relation else None
    if field.is_relation and field.primary_key:  # the row of a person
        prefix = getattr(field.related_model, "prefix", None)
    if prefix:
        return lambda value: ids.public(prefix, value) if isinstance(value, UUID) else value
    if field.name == "by" or field.name.endswith("_by"):
        return _who
    return _value


def _who(value: Any) -> Any:
    """Who did it: which colleague it was is the colleague's affair."""
    kind, colon, _name = str(value or "").partition(":")
    return kind if colon and kind in {"staff", "member"} else value


def _value(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value
