"""The tables with personal data: what a copy of a person's data contains, and what is excluded, and why.

A test walks all models: it fails for one that refers to a person and is in neither list.
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
class DataSubject:
    """The person, and their user account."""

    person: UUID
    user: UUID | None


@dataclass(frozen=True, slots=True)
class ChildTable:
    """A table whose rows belong to rows of another table by `parent_column`."""

    file: str
    model: type[Model]
    parent_column: str
    children: tuple["ChildTable", ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows refer to the person, and its child tables."""

    file: str
    model: type[Model]
    owner_filter: Callable[[DataSubject], Q]
    children: tuple[ChildTable, ...] = ()

    def rows(self, subject: DataSubject, *, after: str, limit: int) -> "QuerySet[Model]":
        rows = self.model._default_manager.filter(self.owner_filter(subject)).order_by("pk")
        return (rows.filter(pk__gt=after) if after else rows)[:limit]


def _by_person(subject: DataSubject) -> Q:
    return Q(person_id=subject.person)


def _by_user(subject: DataSubject) -> Q:
    return Q(user_id=subject.user)


def _merchant_events(file: str) -> ChildTable:
    """The events that merchants received about it."""
    return ChildTable(file, Event, "subject_id")


_OF_DEDUCTION = (
    ChildTable("channel_reports", ChannelReport, "deduction_id"),
    ChildTable("cases", Case, "deduction_id"),
)
_OF_REFUND_PART = (
    ChildTable("channel_reports", ChannelReport, "refund_part_id"),
    ChildTable("cases", Case, "refund_part_id"),
)
#: All exported tables in order; each is written to the file of that name.
TABLES: tuple[Table, ...] = (
    Table("person", Person, lambda subject: Q(pk=subject.person)),
    Table("sign_in", User, lambda subject: Q(pk=subject.user)),
    Table("email_addresses", EmailAddress, _by_user),
    Table("second_factors", Authenticator, _by_user),
    Table("browsers", UserSession, _by_user),
    Table(
        "account_history",
        AccountEvent,
        lambda subject: _by_person(subject) | Q(user_id=subject.user, user__isnull=False),
    ),
    Table("teams", Member, _by_user),
    Table("letters", Letter, _by_user),
    Table("notices", Notice, _by_person, (ChildTable("notice_deliveries", Delivery, "notice_id"),)),
    Table("contacts", Contact, _by_person),
    Table("credit", Profile, _by_person),
    Table("limits_in_other_currencies", CurrencyLimit, _by_person),
    Table(
        "agreements",
        Agreement,
        _by_person,
        (ChildTable("agreement_history", AgreementEvent, "subject_id"), _merchant_events("told_to_merchants")),
    ),
    Table("decisions", Decision, _by_person),
    Table("score_changes", ScoreChange, _by_person),
    Table("limit_changes", LimitChange, _by_person),
    Table(
        "orders",
        Order,
        _by_person,
        (
            ChildTable("order_history", OrderEvent, "subject_id"),
            ChildTable(
                "obligations",
                Obligation,
                "order_id",
                (
                    ChildTable("obligation_history", ObligationEvent, "subject_id"),
                    ChildTable("deduction_plans", Plan, "obligation_id"),
                ),
            ),
            ChildTable("pauses", Pause, "order_id"),
            _merchant_events("told_to_merchants"),
        ),
    ),
    Table(
        "concerns",
        Concern,
        _by_person,
        (ChildTable("concern_history", ConcernEvent, "subject_id"), ChildTable("messages", Message, "concern_id")),
    ),
    Table(
        "instruments", Instrument, _by_person, (ChildTable("instrument_changes", InstrumentChange, "instrument_id"),)
    ),
    Table(
        "deductions",
        Deduction,
        _by_person,
        (
            ChildTable("deduction_history", DeductionEvent, "subject_id"),
            ChildTable("deduction_lines", DeductionLine, "deduction_id"),
            *_OF_DEDUCTION,
        ),
    ),
    Table(
        "refunds",
        Refund,
        _by_person,
        (
            ChildTable("refund_history", RefundEvent, "subject_id"),
            ChildTable(
                "refund_parts",
                RefundPart,
                "refund_id",
                (ChildTable("refund_part_history", RefundPartEvent, "subject_id"), *_OF_REFUND_PART),
            ),
            _merchant_events("told_to_merchants"),
        ),
    ),
    Table("returns", Return, _by_person, (ChildTable("return_history", ReturnEvent, "subject_id"),)),
    Table(
        "disputes",
        Dispute,
        _by_person,
        (
            ChildTable("dispute_history", DisputeEvent, "subject_id"),
            ChildTable("dispute_lines", DisputeLine, "dispute_id"),
            ChildTable("dispute_answers", DisputeAnswer, "dispute_id"),
        ),
    ),
    Table("wallet", Wallet, _by_person),
    Table("wallet_entries", WalletEntry, _by_person),
    Table("postings", Posting, lambda subject: Q(debit_owner=subject.person)),
    Table("postings", Posting, lambda subject: Q(credit_owner=subject.person) & ~Q(debit_owner=subject.person)),
    Table("proofs", Proof, _by_person),
    Table("exports", Export, _by_person),
    Table("erasures", Erasure, _by_person),
)
#: Tables that refer to a person and are not exported, and why.
EXCLUDED: Mapping[str, str] = {
    "personal.ExportPiece": "the copy itself",
    "merchants.WebhookDelivery": "responses of a merchant's server; the events themselves are in told_to_merchants",
    "merchants.WebhookAttempt": "the same",
    "admin.LogEntry": "actions of staff in the console",
    "accounts.User_groups": "roles of staff",
    "accounts.User_user_permissions": "permissions of staff",
    "accounts.EnrolmentCode": "codes for staff to set up two-step verification",
    "kernel.IdempotencyKey": "stored responses, sealed, deleted after days",
    "account.EmailConfirmation": "keys that confirm an email address, valid for minutes",
    "billing.Break": "differences between a statement and the ledger; the movement is in deductions and refunds",
    "billing.SettlementLine": "what a merchant was paid",
    "office.Handling": "assignments of staff",
    "office.HandlingNote": "the same",
    "office.Listing": "files requested by staff",
    "office.ListingPiece": "the same",
    "merchants.Change": "what a merchant's own staff changed about its services and keys",
}
#: Columns that are never exported: credentials and payment tokens.
WITHHELD = frozenset({"password", "token"})
#: The same for single tables.
WITHHELD_OF: Mapping[type[Model], frozenset[str]] = {
    Authenticator: frozenset({"data"}),  # the secret itself
    UserSession: frozenset({"session_key"}),
    User: frozenset({"is_superuser"}),
    Export: frozenset({"files", "after"}),
}


def file_names_of(tables: tuple[Table | ChildTable, ...]) -> Iterator[str]:
    """The names of all files, in the order they are begun."""
    for part in tables:
        yield part.file
        yield from file_names_of(part.children)


def export_row(row: Model) -> Row:
    """A row for export: public ids, amounts in minor units, no credentials."""
    values = {name: convert(getattr(row, column)) for name, column, convert in _columns(type(row))}
    return values | {name: getattr(row, f"reveal_{name}")() for name in sealed_fields_of(type(row))}


@cache
def sealed_fields_of(model: type[Model]) -> tuple[str, ...]:
    """The sealed columns of a table; each has a `reveal_…` method."""
    columns = (field.name for field in model._meta.concrete_fields if isinstance(field, BinaryField))
    return tuple(name.removesuffix("_sealed") for name in columns if name.endswith("_sealed"))


@cache
def _columns(model: type[Model]) -> tuple[tuple[str, str, Callable[[Any], Any]], ...]:
    hidden = WITHHELD | WITHHELD_OF.get(model, frozenset())
    return tuple(
        (field.name, field.attname, _value_converter(field))
        for field in model._meta.concrete_fields
        if field.name not in hidden and not isinstance(field, BinaryField)
    )


def _value_converter(field: Any) -> Callable[[Any], Any]:
    """How values of a column are written: keys as public ids, staff without names."""
    model = field.model if field.primary_key else field.related_model
    prefix = getattr(model, "prefix", None) if field.primary_key or field.is_relation else None
    if field.is_relation and field.primary_key:  # the row of a person
        prefix = getattr(field.related_model, "prefix", None)
    if prefix:
        return lambda value: ids.public(prefix, value) if isinstance(value, UUID) else value
    if field.name == "by" or field.name.endswith("_by"):
        return _mask_actor
    return _plain_value


def _mask_actor(value: Any) -> Any:
    """The kind of actor; the names of staff are not exported."""
    kind, colon, _name = str(value or "").partition(":")
    return kind if colon and kind in {"staff", "member"} else value


def _plain_value(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value
