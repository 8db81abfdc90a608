"""Generates orders, open or completed and owed, with all rows that the services would have written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from credit.models import Decision
from kernel.money import Money
from ledger.accounts import receivable
from ledger.models import Posting
from merchants.models import Event
from orders import rules
from orders import services as orders
from orders.models import Obligation
from tests.simulation.generator import batches, columns_of, decision_data_sql, merged_data_sql
from tests.simulation.row_copies import CopyBatch, Role, RowCopy, copy_key, copy_key_hex_sql, copy_key_sql
from tests.simulation.template_rows import TemplateRows, number_of


@dataclass(frozen=True, slots=True)
class OrderCopy:
    """An order of the template's service: open, or completed with a total and a due time."""

    number: int
    pact: int
    citizen: int
    opened_at: datetime
    #: Amount held and owed before, and number of open orders, as the credit decision saw them.
    used_minor: int = 0
    open_before: int = 0
    total_minor: int = 0
    completed_at: datetime | None = None
    due_at: datetime | None = None


def make_orders(template: TemplateRows, orders_to_copy: Sequence[OrderCopy]) -> None:
    """Generate orders like the template's, and update the counters of agreements and profiles."""
    for copies in batches([use for use in orders_to_copy if use.completed_at is None]):
        _make(template, copies, held_minor=template.open.ceiling_minor)
    for copies in batches([use for use in orders_to_copy if use.completed_at is not None]):
        _make(template, copies, held_minor=0)


@transaction.atomic
def _make(template: TemplateRows, copies: Sequence[OrderCopy], *, held_minor: int) -> None:
    batch = _wanted(template, copies)
    _open(batch, template)
    if not held_minor:
        _complete(batch, template)
    _count(batch, held_minor)


def order_request_of(template: TemplateRows, use: OrderCopy) -> orders.OrderRequest:
    """The merchant's request for this order."""
    return replace(
        template.order_request, agreement_id=copy_key(Role.AGREEMENT, use.pact), out_order_no=number_of(use.number)
    )


def completion_of(use: OrderCopy) -> orders.CompletionRequest:
    """The merchant's completion of this order."""
    return orders.CompletionRequest(total=use.total_minor, due_at=use.due_at)


#: A timestamp as isoformat() and msgspec write it; whole seconds here.
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
    "id": copy_key_sql(Role.ORDER),
    "agreement_id": copy_key_sql(Role.AGREEMENT, "n.pact"),
    "person_id": copy_key_sql(Role.PERSON, "n.citizen"),
    "out_order_no": "n.out_order_no",
    "asked_hash": "n.asked_hash",
    "created_at": "n.opened_at",
    "opened_at": "n.opened_at",
}
_NAMES = {"id": f"'ord_' || {copy_key_hex_sql(Role.ORDER)}", "out_order_no": "n.out_order_no"}


def _wanted(template: TemplateRows, copies: Sequence[OrderCopy]) -> CopyBatch:
    fees = [
        rules.fee_of(Money(use.total_minor, template.order_request.currency), template.open.terms).minor
        for use in copies
    ]
    more = {
        "out_order_no": [number_of(use.number) for use in copies],
        "asked_hash": [order_request_of(template, use).fingerprint for use in copies],
        "final_hash": [completion_of(use).fingerprint for use in copies],
        "fee_minor": fees,
    }
    return CopyBatch(columns_of(copies, _USE) | more, _USE | _MORE)


def _open(batch: CopyBatch, template: TemplateRows) -> None:
    like = template.open
    decision = Decision.objects.get(agreement=template.signed, out_order_no=like.out_order_no)
    mine = {"subject_id": copy_key_sql(Role.ORDER), "at": "n.opened_at"}
    seen = "old.inputs || jsonb_build_object('used_minor', n.used_minor, 'open_orders', n.open_before)"
    assessed = {
        "id": copy_key_sql(Role.ORDER_DECISION),
        "inputs": seen,
        "at": "n.opened_at",
        **{name: _ORDER[name] for name in ("agreement_id", "person_id", "out_order_no")},
    }
    batch.insert(
        RowCopy(like, _ORDER),
        RowCopy(decision, assessed),
        RowCopy(
            like.history.get(),
            mine | {"id": copy_key_sql(Role.ORDER_EVENTS), "data": decision_data_sql(Role.ORDER_DECISION)},
        ),
        RowCopy(
            Event.objects.get(subject_id=like.id),
            mine | {"id": copy_key_sql(Role.NEWS + 1), "data": merged_data_sql(**_NAMES)},
        ),
    )


def _complete(batch: CopyBatch, template: TemplateRows) -> None:
    like = template.completed
    debt = Obligation.objects.get(order=like)
    done, told = like.history.get(seq=like.version), Event.objects.get(subject_id=like.id, sequence=2)
    at = {"at": "n.completed_at"}
    total = {"total_minor": "n.total_minor"}
    ended = {"final_hash": "n.final_hash", "completed_at": "n.completed_at", "ends_at": "n.completed_at"}
    batch.update(RowCopy(like, total | ended), copy_key_sql(Role.ORDER), kept=_ORDER)
    owed = {
        "id": copy_key_sql(Role.OBLIGATION),
        "order_id": copy_key_sql(Role.ORDER),
        "person_id": _ORDER["person_id"],
        "amount_minor": "n.total_minor",
        "due_at": "n.due_at",
        "overdue_from": "n.due_at + (old.overdue_from - old.due_at)",
        "collect_at": "n.due_at",
        "plan": f"jsonb_set(old.plan, '{{0,at}}', to_jsonb({_AS_TEXT.format('n.due_at', '+00:00')}))",
    }
    news = merged_data_sql(**_NAMES, total="n.total_minor", due_at=_AS_TEXT.format("n.due_at", "Z"))
    mine = {"subject_id": copy_key_sql(Role.ORDER), **at}
    batch.insert(
        RowCopy(
            done, mine | {"id": copy_key_sql(Role.ORDER_EVENTS + 1), "data": merged_data_sql(total="n.total_minor")}
        ),
        RowCopy(debt, owed),
        RowCopy(
            debt.history.get(),
            at | {"id": copy_key_sql(Role.OBLIGATION_EVENTS), "subject_id": copy_key_sql(Role.OBLIGATION)},
        ),
        RowCopy(told, mine | {"id": copy_key_sql(Role.NEWS + 2), "data": news}),
        *(_posting(line, template) for line in Posting.objects.filter(cause_id=like.id)),
    )


def _posting(line: Posting, template: TemplateRows) -> RowCopy:
    """A posting of the template's completion: line 0 is the total, line 1 the merchant's fee."""
    person = receivable(template.completed.person_id).owner
    owners = {
        f"{side}_owner": _ORDER["person_id"] for side in ("debit", "credit") if getattr(line, f"{side}_owner") == person
    }
    return RowCopy(
        line,
        {
            "id": copy_key_sql(Role.POSTINGS + line.line),
            "cause_id": copy_key_sql(Role.ORDER),
            "order_id": copy_key_sql(Role.ORDER),
            "amount_minor": "n.fee_minor" if line.line else "n.total_minor",
            "at": "n.completed_at",
            **owners,
        },
    )


def _count(batch: CopyBatch, held_minor: int) -> None:
    going = "count(*)" if held_minor else "0"
    batch.run(
        f", s AS (SELECT {_ORDER['agreement_id']} AS id, count(*) AS live FROM n GROUP BY 1)"  # noqa: S608
        " UPDATE credit_agreement a SET live_orders = live_orders + s.live FROM s WHERE a.id = s.id"
    )
    batch.run(
        f", s AS (SELECT {_ORDER['person_id']} AS id, count(*) * %s AS held, sum(total_minor) AS owed,"  # noqa: S608
        f" {going} AS going FROM n GROUP BY 1)"
        " UPDATE credit_profile p SET held_minor = held_minor + s.held, open_orders = open_orders + s.going,"
        " outstanding_minor = outstanding_minor + s.owed FROM s WHERE p.person_id = s.id",
        [held_minor],
    )
