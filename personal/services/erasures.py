"""Erasure of a person's data: requested, withdrawn, or executed after some days. What the law and other parties'
records need is kept.

Days are counted in real time. What ends in a sandbox as a consequence ends by the sandbox's own clock.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import account_notices
from accounts.erasure import erase_person
from accounts.models import AccountEvent, Person
from accounts.notice_rules import Phrase
from billing.services.erasure import erase_evidence, erase_instruments, erase_return_details, lock_instruments
from credit.erasure import close_credit, lock_credit
from kernel.actor import Actor
from kernel.refusal import Refusal
from orders.erasure import erase_messages, redact_order_notes
from personal import erasure_hooks, rules
from personal.models import Erasure, Export, Proof
from personal.queries import active_erasure_of, erasure_blockers
from personal.services.exports import delete_exports_of

log = structlog.get_logger(__name__)
ONE_DAY, ONE_HOUR = timedelta(days=1), timedelta(hours=1)
#: How the due date is given in the notice.
DUE_TEXT = {"zh-hans": "将于 {due} 删除", "en": "due on {due}"}


class CannotLeaveYet(Refusal):
    """Something is owed, open or in progress."""

    code, title = "cannot_leave_yet", _("Some matters must be resolved before your data can be erased.")


@transaction.atomic
def request_erasure(person_id: UUID, *, by: Actor, at: datetime) -> Erasure:
    """Request the erasure; it is executed after some days unless withdrawn. A repeated request returns the first one.

    Raises:
        NotFound: there is no such person.
        CannotLeaveYet: something is owed, open or in progress.
    """
    person = Person.objects.locked(person_id)
    active = active_erasure_of(person_id)
    if active is not None:
        return active
    if erasure_blockers(person):
        raise CannotLeaveYet
    due_at = at + rules.ERASURE_DELAY
    erasure = Erasure.objects.create(realm_id=person.realm_id, person=person, asked_at=at, due_at=due_at)
    account_notices.notify_account_change(person, "erasure_asked", Phrase(DUE_TEXT, {"due": due_at}), by=by, at=at)
    return erasure


@transaction.atomic
def withdraw_erasure(person_id: UUID, *, by: Actor, at: datetime) -> None:
    """Withdraw the request. Changes nothing if there is none."""
    active = active_erasure_of(person_id)
    erasure = Erasure.objects.locked(active.id) if active else None
    if erasure is None or not erasure.is_open:
        return
    erasure.withdrawn_at = at
    erasure.save(update_fields=["withdrawn_at"])
    AccountEvent.objects.create(person_id=person_id, kind="erasure_withdrawn", by=str(by), at=at)


def erase_due(*, at: datetime, limit: int = 20) -> int:
    """Execute the requests that are due. Returns how many were tried.

    A failed one is postponed by an hour, behind those not tried yet, so it does not block others.
    """
    due = Erasure.objects.filter(due_at__lte=at, withdrawn_at__isnull=True, erased_at__isnull=True)
    keys = list(due.order_by("due_at", "id").values_list("pk", flat=True)[:limit])
    for key in keys:
        try:
            execute_erasure(key, at=at)
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("erasure_failed", erasure=key.hex)
            _postpone(key, at=at)
    return len(keys)


@transaction.atomic
def _postpone(erasure_id: UUID, *, at: datetime) -> None:
    erasure = Erasure.objects.locked(erasure_id)
    if erasure.is_open and erasure.due_at <= at:
        erasure.due_at = at + ONE_HOUR
        erasure.save(update_fields=["due_at"])


@transaction.atomic
def execute_erasure(erasure_id: UUID, *, at: datetime) -> bool:
    """Erase the person's data in one transaction; postponed by a day if something blocks it after all.

    Raises:
        NotFound: there is no such request.
    """
    for person_id in Erasure.objects.filter(pk=erasure_id).values_list("person_id", flat=True):
        for hook in erasure_hooks.HOOKS:
            hook.lock(person_id)
    erasure = Erasure.objects.locked(erasure_id)
    if not erasure.is_open or erasure.due_at > at:
        return False
    by, person = Actor.system("erase"), Person.objects.select_related("realm").get(pk=erasure.person_id)
    _lock_person_data(person.id)
    erasure.hindered_by = erasure_blockers(person)
    if erasure.hindered_by:
        erasure.due_at += ONE_DAY
        erasure.save(update_fields=["hindered_by", "due_at"])
        return False
    realm_now = person.realm.now(at)
    for hook in erasure_hooks.HOOKS:
        hook.erase(person.id)
    erase_instruments(person.id, by=by, at=realm_now)
    close_credit(person.id, by=by, at=realm_now)
    erase_return_details(person.id)
    erase_evidence(person.id)
    erase_messages(person.id)
    redact_order_notes(person.id)
    delete_exports_of(person.id, at=at)
    _revoke_proofs(person.id, at=at)
    erase_person(person.id, by=by, at=at)
    erasure.erased_at = at
    erasure.save(update_fields=["hindered_by", "erased_at"])
    return True


def _lock_person_data(person_id: UUID) -> None:
    """Lock everything of the person from the highest layer down, so that no export step, deduction or order runs
    meanwhile.

    This also excludes what the person starts themselves: it ends before we continue, or fails afterwards
    (`PersonQuerySet.locked_active`).
    """
    for rows in (Export.objects.filter(person_id=person_id), Proof.objects.filter(person_id=person_id)):
        list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    lock_instruments(person_id)
    lock_credit(person_id)
    Person.objects.locked(person_id)


def _revoke_proofs(person_id: UUID, *, at: datetime) -> None:
    rows = Proof.objects.filter(person_id=person_id)
    rows.filter(revoked_at__isnull=True).update(revoked_at=at)
    rows.update(statement_sealed=None)
