"""A person asks to be forgotten, may take it back for some days, and is; what the law and others' books need stays.

Days are counted in real time. What ends in a sandbox because of it ends by the sandbox's own clock.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import reach
from accounts.leaving import forget_person
from accounts.models import AccountEvent, Person
from accounts.wording import Phrase
from billing.services.leave import forget_instruments, forget_parcels, lock_instruments
from credit.leaving import end_credit, lock_credit
from kernel.actor import Actor
from kernel.refusal import Refusal
from kernel.time_limit import TimeIsUp
from orders.leaving import forget_words
from personal import leaving, rules
from personal.models import Erasure, Export, Proof
from personal.queries import erasure_of, hindrances
from personal.services.export import drop_exports

log = structlog.get_logger(__name__)
A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)
#: How it is told when.
UNTIL = {"zh-hans": "将于 {due} 删除", "en": "due on {due}"}


class CannotLeaveYet(Refusal):
    """Something is owed, open or under way."""

    code, title = "cannot_leave_yet", _("Some matters must be resolved before your data can be erased.")


@transaction.atomic
def ask_erasure(person_id: UUID, *, by: Actor, at: datetime) -> Erasure:
    """It is done in some days, unless they take it back. Asked again it is the same request.

    Raises:
        NotFound: there is no such person.
        CannotLeaveYet: something is owed, open or under way.
    """
    person = Person.objects.locked(person_id)
    standing = erasure_of(person_id)
    if standing is not None:
        return standing
    if hindrances(person):
        raise CannotLeaveYet
    due_at = at + rules.ERASURE_WAITS
    asked = Erasure.objects.create(realm_id=person.realm_id, person=person, asked_at=at, due_at=due_at)
    reach.tell(person, "erasure_asked", Phrase(UNTIL, {"due": due_at}), by=by, at=at)
    return asked


@transaction.atomic
def withdraw_erasure(person_id: UUID, *, by: Actor, at: datetime) -> None:
    """They stay. Where nothing was asked, or it was taken back already, nothing changes."""
    found = erasure_of(person_id)
    standing = Erasure.objects.locked(found.id) if found else None
    if standing is None or not standing.open:
        return
    standing.withdrawn_at = at
    standing.save(update_fields=["withdrawn_at"])
    AccountEvent.objects.create(person_id=person_id, kind="erasure_withdrawn", by=str(by), at=at)


def erase_due(*, at: datetime, limit: int = 20) -> int:
    """Forget whoever asked for it some days ago. How many were seen to.

    Trouble with one keeps nobody else waiting: it is put off by an hour, behind those who were not seen to yet.
    """
    due = Erasure.objects.filter(due_at__lte=at, withdrawn_at__isnull=True, erased_at__isnull=True)
    keys = list(due.order_by("due_at", "id").values_list("pk", flat=True)[:limit])
    for key in keys:
        try:
            erase(key, at=at)
        except TimeIsUp:
            raise
        except Exception:
            log.exception("erasure_failed", erasure=key.hex)
            _put_off(key, at=at)
    return len(keys)


@transaction.atomic
def _put_off(erasure_id: UUID, *, at: datetime) -> None:
    erasure = Erasure.objects.locked(erasure_id)
    if erasure.open and erasure.due_at <= at:
        erasure.due_at = at + AN_HOUR
        erasure.save(update_fields=["due_at"])


@transaction.atomic
def erase(erasure_id: UUID, *, at: datetime) -> bool:
    """The person is forgotten, all of it or nothing; put off by a day if something is open or owed after all.

    Raises:
        NotFound: there is no such request.
    """
    for whose in Erasure.objects.filter(pk=erasure_id).values_list("person_id", flat=True):
        for above in leaving.ABOVE:
            above.hold(whose)
    erasure = Erasure.objects.locked(erasure_id)
    if not erasure.open or erasure.due_at > at:
        return False
    by, person = Actor.system("erase"), Person.objects.select_related("realm").get(pk=erasure.person_id)
    _lock(person.id)
    erasure.hindered_by = hindrances(person)
    if erasure.hindered_by:
        erasure.due_at += A_DAY
        erasure.save(update_fields=["hindered_by", "due_at"])
        return False
    there = person.realm.now(at)
    for above in leaving.ABOVE:
        above.forget(person.id)
    forget_instruments(person.id, by=by, at=there)
    end_credit(person.id, by=by, at=there)
    forget_parcels(person.id)
    forget_words(person.id)
    drop_exports(person.id, at=at)
    _revoke_proofs(person.id, at=at)
    forget_person(person.id, by=by, at=at)
    erasure.erased_at = at
    erasure.save(update_fields=["hindered_by", "erased_at"])
    return True


def _lock(person_id: UUID) -> None:
    """From the top floor down: no step of a copy, no deduction and no order of this person comes between.

    Nor does anything they begin themselves: whoever holds them meanwhile ends before we look, and nobody does after
    (`PersonQuerySet.staying`).
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
