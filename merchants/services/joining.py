"""A business applies, is looked into, agreed to by two, and opened; it may be suspended, and opened again.

Its sandbox is there from the first day. What is under way when a merchant is suspended ends as it would have.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from kernel.actor import Actor
from kernel.models import LIVE, Realm
from kernel.money import MOST_MINOR
from kernel.refusal import FieldError, Invalid, SecondNeeded
from merchants import queries
from merchants.models import Merchant, MerchantCheck, Service
from merchants.refusals import ChecksMissing, MerchantState, NothingOffered
from merchants.rules import CHECKS
from merchants.rules.cutoff import CUTOFF_ZONE, next_cutoff, next_month
from merchants.rules.joining import missing
from merchants.services.record import note

State = Merchant.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a business says of itself."""

    name: str
    legal_name: str = ""
    registration: str = ""
    website: str = ""
    contact: str = ""


def join_merchant(name: str, *, contact: str = "", by: Actor, at: datetime) -> tuple[Merchant, Merchant]:
    """A business joins at once: it gets a sandbox with a clock of its own, and a live twin that has no key yet."""
    return _pair(Application(name=name, contact=contact), State.ACTIVE, "joined", by=by, at=at)


def apply_to_join(asked: Application, *, by: Actor, at: datetime) -> tuple[Merchant, Merchant]:
    """A business wants to join. Its sandbox works from now on; nothing live begins before it is let in."""
    return _pair(asked, State.APPLIED, "applied", by=by, at=at)


@transaction.atomic
def _pair(asked: Application, state: str, kind: str, *, by: Actor, at: datetime) -> tuple[Merchant, Merchant]:
    ends = {"settles_at": next_cutoff(at, CUTOFF_ZONE, 0), "invoices_at": next_month(at, CUTOFF_ZONE, 0)}
    terms = {**asdict(asked), "created_at": at, **ends}
    live = Merchant(realm_id=LIVE, state=state, **terms)
    live.record(kind, by=by, at=at)
    sandbox = Merchant(realm=Realm.objects.create(mode="test"), twin=live, **terms)
    sandbox.record("joined", by=by, at=at)
    for merchant in (live, sandbox):
        note(merchant.id, "joined", merchant.id, by=by, at=at, name=asked.name)
    return sandbox, live


@transaction.atomic
def note_check(merchant_id: UUID, name: str, *, passed: bool, evidence: str, by: Actor, at: datetime) -> MerchantCheck:
    """Something was looked into. When all came out well they are checked; when one no longer does, they are not.

    Raises:
        NotFound: there is no such merchant.
        MerchantState: they were refused.
        Invalid: there is no such check, or nothing says where it can be seen.
    """
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state == State.REFUSED:
        raise MerchantState
    if name not in CHECKS:
        raise Invalid(errors=[FieldError("/check", "no such check")])
    if not evidence.strip():
        raise Invalid(errors=[FieldError("/note", "say where it can be seen")])
    made = MerchantCheck.objects.create(
        merchant=merchant, name=name, passed=passed, evidence=evidence.strip(), by=str(by), at=at
    )
    whole = not missing(queries.checks_of(merchant_id))
    if whole and merchant.state == State.APPLIED:
        merchant.be_checked()
        merchant.record("checked", by=by, at=at)
    elif not whole and merchant.state in {State.CHECKED, State.APPROVED}:
        merchant.fail_check()
        merchant.record("check_failed", by=by, at=at, check=name)
    return made


@transaction.atomic
def approve_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Two colleagues have read what the checks found, and let the business in.

    Raises:
        NotFound: there is no such merchant.
        SecondNeeded: nobody lets one in alone.
        MerchantState: they are not at this step.
        ChecksMissing: not everything came out well.
    """
    if by.alone:
        raise SecondNeeded
    merchant = Merchant.objects.locked(merchant_id)
    if missing(queries.checks_of(merchant_id)):
        raise ChecksMissing
    if merchant.state != State.CHECKED:
        raise MerchantState
    merchant.approve()
    merchant.record("approved", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def refuse_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """They are not let in. Their sandbox stays.

    Raises:
        NotFound: there is no such merchant.
        MerchantState: they were let in already, or refused.
    """
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state not in {State.APPLIED, State.CHECKED, State.APPROVED}:
        raise MerchantState
    merchant.refuse()
    merchant.record("refused", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def open_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """From now on people may open their services, and owe.

    Raises:
        NotFound: there is no such merchant.
        MerchantState: nobody has agreed to it yet, or they are open.
        NothingOffered: they have no service.
    """
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state != State.APPROVED:
        raise MerchantState
    if not Service.objects.filter(merchant=merchant, state=Service.State.ACTIVE).exists():
        raise NothingOffered
    merchant.open()
    merchant.record("opened", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def suspend_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Nobody opens a service or an order with them any more; what is open is completed, collected and settled.

    An order that was being opened at this very moment may still come to be.

    Raises:
        NotFound: there is no such merchant.
        MerchantState: they are not open.
    """
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state != State.ACTIVE:
        raise MerchantState
    merchant.suspend()
    merchant.record("suspended", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def resume_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Two colleagues let new orders begin again.

    Raises:
        NotFound: there is no such merchant.
        SecondNeeded: nobody does this alone.
        MerchantState: they are not suspended.
    """
    if by.alone:
        raise SecondNeeded
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state != State.SUSPENDED:
        raise MerchantState
    merchant.resume()
    merchant.record("resumed", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def limit_orders(merchant_id: UUID, most: int | None, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """No order of theirs comes to more than this from now on, whatever a service says; None takes that back.

    Raises:
        NotFound: there is no such merchant.
        SecondNeeded: nobody sets it alone.
        Invalid: nothing at all, or more than there can be.
    """
    if by.alone:
        raise SecondNeeded
    if most is not None and not 0 < most <= MOST_MINOR:
        raise Invalid(errors=[FieldError("/most", "more than nothing")])
    merchant = Merchant.objects.locked(merchant_id)
    merchant.order_most_minor = most
    merchant.record("limited", by=by, at=at, most=most, note=reason)
    return merchant
