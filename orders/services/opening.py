"""Open an order: requested by the merchant, assessed, its ceiling held, and confirmed by the person where needed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from credit import queries as credit_queries
from credit import services as credit
from credit.models import Agreement, Decision
from credit.refusals import AgreementState
from credit.rules import Reason, Verdict
from kernel.actor import Actor
from kernel.policy_versions import terms_subquery
from kernel.prepared_statements import PreparedQuery
from kernel.refusal import NotFound
from kernel.transactions import join_transaction
from kernel.write_batching import execute_write
from merchants.models import LatePolicy
from merchants.queries import late_columns_for_order
from orders import rules
from orders.models import Order
from orders.refusals import (
    AgreementNotActive,
    CurrencyMismatch,
    OrderNumberReused,
    TimesInvalid,
    order_state_refusal,
)
from orders.services.events import order_event, publish_events
from orders.services.order_request import OrderRequest, resolve_amounts

#: The cancel reason that merchants see when the person declined.
DECLINE_REASON = "declined by the person"

#: One query for all that opening reads: the agreement with its credit context, whether the order number is taken, and
#: the late fee terms in force.
_OPEN_CONTEXT = PreparedQuery(
    lambda agreement, merchant, number, at: (
        credit_queries.with_credit_context(at)
        .filter(pk=agreement)
        .annotate(number_taken=Exists(Order.objects.filter(merchant_id=merchant, out_order_no=number)))
        .annotate(late=terms_subquery(LatePolicy, at))
    ),
    ["uuid", "uuid", "text", "timestamptz"],
)


@dataclass(frozen=True, slots=True)
class OpenResult:
    """The result of opening: an order (new, or the one of a repeated request), or the decision that refused it."""

    order: Order | None
    decision: Decision | None = None

    @property
    def coarse_reason(self) -> str:
        """The refusal reason that merchants may see."""
        reasons = self.decision.reasons if self.decision else []
        return Verdict(approved=False, reasons=tuple(Reason(reason) for reason in reasons)).coarse_reason


@join_transaction()
def open_order(merchant_id: UUID, request: OrderRequest, *, by: Actor, at: datetime) -> OpenResult:
    """Open an order for a person: assess them and hold the ceiling.

    A refused assessment is returned, not raised, because the decision must stay on record.

    Raises:
        NotFound: no such agreement of this merchant.
        OrderNumberReused: the number belongs to an order with other parameters.
        MerchantNotActive: the merchant is suspended or not admitted yet.
        AgreementNotActive, ServicePaused, AboveCeiling, WrongAmountField, CurrencyMismatch, TotalInvalid,
            TimesInvalid.
    """
    _lock_order_number(merchant_id, request.out_order_no)
    agreements = _OPEN_CONTEXT.rows(request.agreement_id, merchant_id, request.out_order_no, at)
    if not agreements or agreements[0].number_taken:
        return _existing_order(merchant_id, request)
    standing = credit_queries.standing_from(agreements[0])
    agreement = standing.agreement
    if agreement.merchant_id != merchant_id:
        raise NotFound
    if agreement.state != Agreement.State.ACTIVE:
        raise AgreementNotActive
    credit.check_accepts_new(agreement.merchant, agreement.service)
    order = _build_order(agreement, request, agreements[0].late["terms"], at=at)
    decision = _assess(standing, order, at=at, is_new=True)
    if not decision.approved:
        return OpenResult(None, decision)
    order.record("requested" if order.state == Order.State.CREATED else "opened", by=by, at=at, decision=decision.id)
    if order.state == Order.State.OPEN:
        publish_events([order_event(order, "order.opened")], realm_id=order.realm_id, at=at)
    return OpenResult(order, decision)


@transaction.atomic
def confirm_order(order_id: UUID, *, by: Actor, at: datetime) -> OpenResult:
    """The person confirms the order: assess them again now and hold the ceiling. Idempotent.

    Raises:
        NotFound: there is no such order.
        OrderState: it does not wait for confirmation any more.
        AgreementNotActive: the person has stopped the service meanwhile.
        MerchantNotActive, ServicePaused: the merchant was suspended meanwhile, or the service takes no new orders.
    """
    order = Order.objects.locked(order_id)
    if order.state == Order.State.OPEN and order.opened_at is not None and order.version > 1:
        return OpenResult(order)
    if order.state != Order.State.CREATED or (order.expires_at and order.expires_at <= at):
        raise order_state_refusal(order.state)
    standing = credit_queries.standing_of(order.agreement_id, at=at)
    credit.check_accepts_new(standing.agreement.merchant, standing.agreement.service)
    if standing.agreement.state != Agreement.State.ACTIVE:
        raise AgreementNotActive
    order.confirm(at=at)
    decision = _assess(standing, order, at=at)
    if not decision.approved:
        return OpenResult(None, decision)
    order.record("confirmed", by=by, at=at, decision=decision.id)
    publish_events(
        [order_event(order, "order.confirmed"), order_event(order, "order.opened")], realm_id=order.realm_id, at=at
    )
    return OpenResult(order, decision)


@transaction.atomic
def decline_order(order_id: UUID, *, by: Actor, at: datetime) -> Order:
    """The person declines an order that waits for confirmation. An open order can only be cancelled by the merchant.

    Raises:
        NotFound: there is no such order.
        OrderState: it does not wait for confirmation any more.
    """
    order = Order.objects.locked(order_id)
    if order.state != Order.State.CREATED:
        raise order_state_refusal(order.state)
    order.cancel(DECLINE_REASON, at=at)
    order.record("declined", by=by, at=at)
    credit.remove_live_orders([order.agreement_id], by=by, at=at)
    publish_events([order_event(order, "order.cancelled", reason=DECLINE_REASON)], realm_id=order.realm_id, at=at)
    return order


def _existing_order(merchant_id: UUID, request: OrderRequest) -> OpenResult:
    """The order of a repeated request. If there is none, the agreement does not exist."""
    order = Order.objects.filter(merchant_id=merchant_id, out_order_no=request.out_order_no).first()
    if order is None:
        raise NotFound
    if bytes(order.asked_hash) != request.fingerprint:
        raise OrderNumberReused
    return OpenResult(order)


def _lock_order_number(merchant_id: UUID, out_order_no: str) -> None:
    """Serialize requests with the same order number, so that the second one sees the order made by the first."""
    name = hashlib.sha256(merchant_id.bytes + out_order_no.encode()).digest()[:8]
    execute_write("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(name, "big", signed=True)])


def _build_order(
    agreement: Agreement, request: OrderRequest, policy_terms: Mapping[str, Any], *, at: datetime
) -> Order:
    service = agreement.service
    if request.currency != service.currency:
        raise CurrencyMismatch(format_lazy(_("The service is offered in {currency}."), currency=service.currency))
    if request.starts_at and request.ends_at and request.ends_at < request.starts_at:
        raise TimesInvalid(_("The end is before the start."), field="/ends_at")
    amount, ceiling = resolve_amounts(service, request, agreement.merchant.order_most_minor)
    needs_confirmation = agreement.needs_confirmation(ceiling)
    return Order(
        realm_id=agreement.realm_id,
        merchant_id=agreement.merchant_id,
        service=service,
        agreement=agreement,
        person=agreement.person,
        out_order_no=request.out_order_no,
        asked_hash=request.fingerprint,
        state=Order.State.CREATED if needs_confirmation else Order.State.OPEN,
        mode=service.mode,
        funding=service.funding,
        fee_bps=service.fee_bps_at(at),
        **late_columns_for_order(service, policy_terms, agreement.agreed_terms.late),
        title=request.title,
        currency=request.currency,
        amount_minor=amount,
        ceiling_minor=ceiling,
        items=list(request.items),
        discounts=list(request.discounts),
        starts_at=_to_utc(request.starts_at),
        ends_at=_to_utc(request.ends_at),
        start_location=request.start_location,
        end_location=request.end_location,
        attach=request.attach,
        metadata=request.metadata,
        created_at=at,
        opened_at=None if needs_confirmation else at,
        expires_at=at + rules.CONFIRMATION_WINDOW if needs_confirmation else None,
    )


def _to_utc(moment: datetime | None) -> datetime | None:
    """In UTC, as the database returns it."""
    return moment and moment.astimezone(UTC)


def _assess(standing: credit_queries.Standing, order: Order, *, at: datetime, is_new: bool = False) -> Decision:
    """Assess the order. An open order holds its ceiling; one that waits for confirmation holds nothing yet.

    `is_new`: it is counted among the live orders of its agreement.

    Raises:
        AgreementNotActive: the agreement takes no new orders.
    """
    needs_confirmation = order.state == Order.State.CREATED
    try:
        decision = credit.decide(
            standing,
            order.ceiling_minor,
            occasion=Decision.Occasion.ORDER,
            at=at,
            out_order_no=order.out_order_no,
            hold_amount=not needs_confirmation,
            count_order=is_new,
        )
    except AgreementState:
        raise AgreementNotActive from None
    if is_new and needs_confirmation and decision.approved and not credit.add_live_order(order.agreement_id):
        raise AgreementNotActive
    return decision
