"""Onboarding of merchants: apply, check, approve by two colleagues, open; then suspend and resume.

The sandbox works from the first day. Orders in progress when a merchant is suspended end as they would have.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.models import LIVE, Realm
from kernel.money import AMOUNT_MINOR_MAX
from kernel.refusal import ApprovalRequired, FieldError, Invalid
from merchants import queries
from merchants.models import Merchant, MerchantCheck, Service
from merchants.refusals import ChecksMissing, NoActiveService, WrongMerchantState
from merchants.rules import CHECKS
from merchants.rules.cutoff import CUTOFF_ZONE, next_cutoff, next_month_end
from merchants.rules.onboarding import missing_checks
from merchants.services import change_log

State = Merchant.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a business states in its application."""

    name: str
    legal_name: str = ""
    registration: str = ""
    website: str = ""
    contact: str = ""


def join_merchant(name: str, *, contact: str = "", by: Actor, at: datetime) -> tuple[Merchant, Merchant]:
    """Create an active merchant without an application: a sandbox with its own clock, and its live twin without keys.

    Returns the sandbox and the live merchant.
    """
    return _create_pair(Application(name=name, contact=contact), State.ACTIVE, "joined", by=by, at=at)


def apply_to_join(application: Application, reason: str = "", *, by: Actor, at: datetime) -> tuple[Merchant, Merchant]:
    """Register an application. The sandbox works from now on; the live merchant only after it was opened.

    Returns the sandbox and the live merchant.
    """
    return _create_pair(application, State.APPLIED, "applied", by=by, at=at, note=reason)


@transaction.atomic
def _create_pair(
    application: Application, state: str, kind: str, *, by: Actor, at: datetime, note: str = ""
) -> tuple[Merchant, Merchant]:
    periods = {"settles_at": next_cutoff(at, CUTOFF_ZONE, 0), "invoices_at": next_month_end(at, CUTOFF_ZONE, 0)}
    terms = {**asdict(application), "created_at": at, **periods}
    live = Merchant(realm_id=LIVE, state=state, **terms)
    live.record(kind, by=by, at=at, note=note)
    sandbox = Merchant(realm=Realm.objects.create(mode="test"), twin=live, **terms)
    sandbox.record("joined", by=by, at=at)
    for merchant in (live, sandbox):
        change_log.record_change(merchant.id, "joined", merchant.id, by=by, at=at, name=application.name)
    return sandbox, live


@transaction.atomic
def record_check(
    merchant_id: UUID, name: str, *, passed: bool, evidence: str, by: Actor, at: datetime
) -> MerchantCheck:
    """Record the result of a check. The merchant becomes `checked` when all have passed, `applied` again if one fails.

    Raises:
        NotFound: there is no such merchant.
        WrongMerchantState: it was refused.
        Invalid: there is no such check, or the evidence is missing.
    """
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state == State.REFUSED:
        raise WrongMerchantState
    if name not in CHECKS:
        raise Invalid(errors=[FieldError("/check", _("no such check"))])
    if not evidence.strip():
        raise Invalid(errors=[FieldError("/note", _("say where it can be seen"))])
    check = MerchantCheck.objects.create(
        merchant=merchant, name=name, passed=passed, evidence=evidence.strip(), by=str(by), at=at
    )
    all_passed = not missing_checks(queries.check_results(merchant_id))
    if all_passed and merchant.state == State.APPLIED:
        merchant.pass_checks()
        merchant.record("checked", by=by, at=at)
    elif not all_passed and merchant.state in {State.CHECKED, State.APPROVED}:
        merchant.fail_checks()
        merchant.record("check_failed", by=by, at=at, check=name)
    return check


@transaction.atomic
def approve_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Approve a merchant whose checks have passed.

    Raises:
        NotFound: there is no such merchant.
        ApprovalRequired: this needs the approval of a second colleague.
        WrongMerchantState: it is not `checked`.
        ChecksMissing: not all checks have passed.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    merchant = Merchant.objects.locked(merchant_id)
    if missing_checks(queries.check_results(merchant_id)):
        raise ChecksMissing
    if merchant.state != State.CHECKED:
        raise WrongMerchantState
    merchant.approve()
    merchant.record("approved", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def refuse_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Refuse an application. The sandbox stays.

    Raises:
        NotFound: there is no such merchant.
        WrongMerchantState: it was opened already, or refused.
    """
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state not in {State.APPLIED, State.CHECKED, State.APPROVED}:
        raise WrongMerchantState
    merchant.refuse()
    merchant.record("refused", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def open_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Open an approved merchant: people may open its services and order from now on.

    Raises:
        NotFound: there is no such merchant.
        WrongMerchantState: it is not `approved`.
        NoActiveService: it has no active service.
    """
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state != State.APPROVED:
        raise WrongMerchantState
    if not Service.objects.filter(merchant=merchant, state=Service.State.ACTIVE).exists():
        raise NoActiveService
    merchant.open()
    merchant.record("opened", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def suspend_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Suspend a merchant: no new agreements or orders; open orders are completed, deducted and settled.

    An order that is being opened at this very moment may still succeed.

    Raises:
        NotFound: there is no such merchant.
        WrongMerchantState: it is not active.
    """
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state != State.ACTIVE:
        raise WrongMerchantState
    merchant.suspend()
    merchant.record("suspended", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def resume_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """End the suspension of a merchant.

    Raises:
        NotFound: there is no such merchant.
        ApprovalRequired: this needs the approval of a second colleague.
        WrongMerchantState: it is not suspended.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    merchant = Merchant.objects.locked(merchant_id)
    if merchant.state != State.SUSPENDED:
        raise WrongMerchantState
    merchant.resume()
    merchant.record("resumed", by=by, at=at, note=reason)
    return merchant


@transaction.atomic
def set_order_limit(merchant_id: UUID, most: int | None, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Limit the amount of new orders of the merchant, whatever the ceiling of a service; None removes the limit.

    Raises:
        NotFound: there is no such merchant.
        ApprovalRequired: this needs the approval of a second colleague.
        Invalid: the amount is out of range.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    if most is not None and not 0 < most <= AMOUNT_MINOR_MAX:
        raise Invalid(errors=[FieldError("/most", _("more than nothing"))])
    merchant = Merchant.objects.locked(merchant_id)
    merchant.order_most_minor = most
    merchant.record("limited", by=by, at=at, most=most, note=reason)
    return merchant
