"""Orders in any number, with all that the services would have written of them: open, or completed and owed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from credit.models import Decision
from kernel.money import Money
from ledger.models import Posting
from ledger.rules import receivable
from merchants.models import Event
from orders import rules
from orders import services as orders
from orders.models import Obligation
from tests.simulation.copying import Copy, Role, Wanted, hex_of, key, key_of
from tests.simulation.generator import chunks, columns_of, decided, merged
from tests.simulation.pattern import Pattern, number_of


@dataclass(frozen=True, slots=True)
class Use:
    """One order of the pattern's service: still open, or completed with a total that is due at some time."""

    number: int
    pact: int
    citizen: int
    opened_at: datetime
    #: What the person held and owed before, and in how many open orders: their assessment saw it.
    used_minor: int = 0
    open_before: int = 0
    total_minor: int = 0
    completed_at: datetime | None = None
    due_at: datetime | None = None


def make_uses(pattern: Pattern, uses: Sequence[Use]) -> None:
    """Orders such as the pattern's; agreements and profiles count them."""
    for some in chunks([use for use in uses if use.completed_at is None]):
        _make(pattern, some, held_minor=pattern.open.ceiling_minor)
    for some in chunks([use for use in uses if use.completed_at is not None]):
        _make(pattern, some, held_minor=0)


@transaction.atomic
def _make(pattern: Pattern, some: Sequence[Use], *, held_minor: int) -> None:
    wanted = _wanted(pattern, some)
    _open(wanted, pattern)
    if not held_minor:
        _complete(wanted, pattern)
    _count(wanted, held_minor)


def wish_of(pattern: Pattern, use: Use) -> orders.Wish:
    """What the merchant asked for."""
    return replace(pattern.wish, agreement_id=key(Role.AGREEMENT, use.pact), out_order_no=number_of(use.number))


def final_of(use: Use) -> orders.Final:
    """How the merchant completed it."""
    return orders.Final(total=use.total_minor, due_at=use.due_at)


#: As isoformat() and as msgspec write a moment, which are whole seconds here.
_AS_TEXT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS{}')"
_USE = {
    "number": "bigint",
    "pact": "bigint",
    "citizen": "bigint",
    "opened_at": "timestamptz",
    "used_minor": "bigint",
    "open_before": "int",
    "total_minor": "bigint",
    "completed_at": "timestamptz",
    "due_at": "timestamptz",
}
_MORE = {"out_order_no": "text", "asked_hash": "bytea", "final_hash": "bytea", "fee_minor": "bigint"}
_ORDER = {
    "id": key_of(Role.ORDER),
    "agreement_id": key_of(Role.AGREEMENT, "n.pact"),
    "person_id": key_of(Role.PERSON, "n.citizen"),
    "out_order_no": "n.out_order_no",
    "asked_hash": "n.asked_hash",
    "created_at": "n.opened_at",
    "opened_at": "n.opened_at",
}
_NAMES = {"id": f"'ord_' || {hex_of(Role.ORDER)}", "out_order_no": "n.out_order_no"}


def _wanted(pattern: Pattern, some: Sequence[Use]) -> Wanted:
    fees = [rules.fee_of(Money(use.total_minor, pattern.wish.currency), pattern.open.terms).minor for use in some]
    more = {
        "out_order_no": [number_of(use.number) for use in some],
        "asked_hash": [wish_of(pattern, use).digest for use in some],
        "final_hash": [final_of(use).digest for use in some],
        "fee_minor": fees,
    }
    return Wanted(columns_of(some, _USE) | more, _USE | _MORE)


def _open(wanted: Wanted, pattern: Pattern) -> None:
    like = pattern.open
    decision = Decision.objects.get(agreement=pattern.signed, out_order_no=like.out_order_no)
    mine = {"subject_id": key_of(Role.ORDER), "at": "n.opened_at"}
    seen = "old.inputs || jsonb_build_object('used_minor', n.used_minor, 'open_orders', n.open_before)"
    assessed = {
        "id": key_of(Role.ORDER_DECISION),
        "inputs": seen,
        "at": "n.opened_at",
        **{name: _ORDER[name] for name in ("agreement_id", "person_id", "out_order_no")},
    }
    wanted.insert(
        Copy(like, _ORDER),
        Copy(decision, assessed),
        Copy(like.history.get(), mine | {"id": key_of(Role.ORDER_EVENTS), "data": decided(Role.ORDER_DECISION)}),
        Copy(Event.objects.get(subject_id=like.id), mine | {"id": key_of(Role.NEWS + 1), "data": merged(**_NAMES)}),
    )


def _complete(wanted: Wanted, pattern: Pattern) -> None:
    like = pattern.completed
    debt = Obligation.objects.get(order=like)
    done, told = like.history.get(seq=like.version), Event.objects.get(subject_id=like.id, sequence=2)
    at = {"at": "n.completed_at"}
    total = {"total_minor": "n.total_minor"}
    ended = {"final_hash": "n.final_hash", "completed_at": "n.completed_at", "ends_at": "n.completed_at"}
    wanted.move(Copy(like, total | ended), key_of(Role.ORDER), kept=_ORDER)
    owed = {
        "id": key_of(Role.OBLIGATION),
        "order_id": key_of(Role.ORDER),
        "person_id": _ORDER["person_id"],
        "amount_minor": "n.total_minor",
        "due_at": "n.due_at",
        "overdue_from": "n.due_at + (old.overdue_from - old.due_at)",
        "collect_at": "n.due_at",
        "plan": f"jsonb_set(old.plan, '{{0,at}}', to_jsonb({_AS_TEXT.format('n.due_at', '+00:00')}))",
    }
    news = merged(**_NAMES, total="n.total_minor", due_at=_AS_TEXT.format("n.due_at", "Z"))
    mine = {"subject_id": key_of(Role.ORDER), **at}
    wanted.insert(
        Copy(done, mine | {"id": key_of(Role.ORDER_EVENTS + 1), "data": merged(total="n.total_minor")}),
        Copy(debt, owed),
        Copy(
            debt.history.get(),
            at | {"id": key_of(Role.OBLIGATION_EVENTS), "subject_id": key_of(Role.OBLIGATION)},
        ),
        Copy(told, mine | {"id": key_of(Role.NEWS + 2), "data": news}),
        *(_posting(line, pattern) for line in Posting.objects.filter(cause_id=like.id)),
    )


def _posting(line: Posting, pattern: Pattern) -> Copy:
    """A line of the pattern's completion: the first is of the total, a second one of the merchant's fee."""
    person = receivable(pattern.completed.person_id).owner
    owners = {
        f"{side}_owner": _ORDER["person_id"] for side in ("debit", "credit") if getattr(line, f"{side}_owner") == person
    }
    return Copy(
        line,
        {
            "id": key_of(Role.POSTINGS + line.line),
            "cause_id": key_of(Role.ORDER),
            "order_id": key_of(Role.ORDER),
            "amount_minor": "n.fee_minor" if line.line else "n.total_minor",
            "at": "n.completed_at",
            **owners,
        },
    )


def _count(wanted: Wanted, held_minor: int) -> None:
    going = "count(*)" if held_minor else "0"
    wanted.run(
        f", s AS (SELECT {_ORDER['agreement_id']} AS id, count(*) AS live FROM n GROUP BY 1)"  # noqa: S608
        " UPDATE credit_agreement a SET live_orders = live_orders + s.live FROM s WHERE a.id = s.id"
    )
    wanted.run(
        f", s AS (SELECT {_ORDER['person_id']} AS id, count(*) * %s AS held, sum(total_minor) AS owed,"  # noqa: S608
        f" {going} AS going FROM n GROUP BY 1)"
        " UPDATE credit_profile p SET held_minor = held_minor + s.held, open_orders = open_orders + s.going,"
        " outstanding_minor = outstanding_minor + s.owed FROM s WHERE p.person_id = s.id",
        [held_minor],
    )
