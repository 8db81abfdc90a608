"""What people ask help with: reported, talked about, withdrawn. A problem with an order stops its clock."""

import unicodedata
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import inbox
from accounts.inbox import Item
from accounts.models import Person
from accounts.wording import Phrase, Value
from credit.models import Decision
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import FieldError, Invalid, NotFound
from orders import rules
from orders.models import Concern, Message, Obligation, Order, Pause
from orders.refusals import (
    ConcernClosed,
    ConcernOpen,
    NotObjectionable,
    ReportedOften,
    ReportOpen,
    ReportTooLate,
    TooManyMessages,
)
from orders.services.pause import pause_order, resume_order

ALL_DEBTS = Phrase({"zh-hans": "您的全部欠款", "en": "everything you owe"})
US = Phrase({"zh-hans": "先享后付", "en": "Use now, pay later"})
#: Characters that turn the direction of what follows them.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@transaction.atomic
def report_problem(order_id: UUID, category: str, text: str, *, by: Actor, at: datetime) -> Concern:
    """Something is wrong with an order. Its first report stops the clock: at once, or as soon as something is owed.

    A further report is read by a colleague, who may stop the clock again: withdrawing and reporting puts nothing off.

    Raises:
        NotFound: there is no such order, or its person has left.
        Invalid: there is no such kind of problem, or nothing or too much was said.
        ReportTooLate: the order never began, or ended too long ago.
        ReportOpen, ReportedOften: a report is open; there were enough.
    """
    said = judge_text(text)
    if category not in rules.PROBLEMS:
        raise Invalid(errors=[FieldError("/category", _("Choose a problem type."))])
    order = Order.objects.locked(order_id)
    if not reportable(order, at=at):
        raise ReportTooLate
    earlier = list(order.concerns.filter(kind=Concern.Kind.PROBLEM).values_list("state", flat=True))
    if Concern.State.OPEN in earlier:
        raise ReportOpen
    if len(earlier) >= rules.REPORTS_MAX:
        raise ReportedOften
    concern = Concern(
        realm_id=order.realm_id,
        person_id=order.person_id,
        order=order,
        merchant_id=order.merchant_id,
        kind=Concern.Kind.PROBLEM,
        category=category,
    )
    first, order.reported_at = order.reported_at is None, order.reported_at or at
    order.record("reported", by=by, at=at, concern=concern.id, category=category)
    if first and order.obligations.filter(state__in=Obligation.OWED).exists():
        pause_order(order.id, Pause.Reason.PROBLEM, by=by, at=at)
    Person.objects.staying(order.person_id)  # nobody says anything after they have left; the lowest lock comes last
    open_concern(concern, said, by=by, at=at)
    return concern


@transaction.atomic
def object_to(decision_id: UUID, person_id: UUID, text: str, *, by: Actor, at: datetime) -> Concern:
    """The person thinks that a refusal was wrong, and a colleague looks at it again.

    Raises:
        NotFound: there is no such decision of theirs, or they have left.
        Invalid: nothing or too much was said.
        NotObjectionable: it was no refusal, or was objected to before.
    """
    said = judge_text(text)
    Person.objects.staying(person_id)
    decision = Decision.objects.filter(pk=decision_id, person_id=person_id).first()
    if decision is None:
        raise NotFound
    if decision.approved or decision.objections.exists():
        raise NotObjectionable
    concern = Concern(
        realm_id=decision.realm_id,
        person_id=person_id,
        merchant_id=decision.merchant_id,
        decision=decision,
        kind=Concern.Kind.OBJECTION,
    )
    try:
        with transaction.atomic():
            open_concern(concern, said, by=by, at=at)
    except IntegrityError:
        raise NotObjectionable from None
    return concern


@transaction.atomic
def ask_for_help(
    person_id: UUID, order_id: UUID | None, offer: rules.Offer, text: str, *, by: Actor, at: datetime
) -> Concern:
    """The person needs a plan that is not granted by itself: a colleague decides. Nothing changes before that.

    Raises:
        NotFound: there is no such person, or order of theirs, or they have left.
        Invalid: nothing or too much was said, or no plan could be like that.
        ConcernOpen: they have asked already.
    """
    said = judge_text(text)
    if not (1 <= offer.parts <= rules.STAFF_PARTS_MAX and offer.parts * offer.every_days <= rules.STAFF_DAYS_MAX):
        raise Invalid(errors=[FieldError("/parts", _("The plan is too long."))])
    person = Person.objects.staying(person_id)
    order = Order.objects.filter(pk=order_id, person_id=person_id).first() if order_id else None
    if order_id and order is None:
        raise NotFound
    concern = Concern(
        realm_id=person.realm_id,
        person_id=person_id,
        order=order,
        kind=Concern.Kind.HARDSHIP,
        plan={"parts": offer.parts, "every_days": offer.every_days},
    )
    try:
        with transaction.atomic():
            open_concern(concern, said, by=by, at=at)
    except IntegrityError:
        raise ConcernOpen from None
    return concern


@transaction.atomic
def say(concern_id: UUID, text: str, *, author: str, by: Actor, at: datetime) -> Message:
    """The person, a colleague or the merchant says more about it.

    Raises:
        NotFound: there is no such concern.
        Invalid: nothing or too much was said.
        ConcernClosed: it is over.
        TooManyMessages: nobody has answered what was said before.
    """
    said = judge_text(text)
    concern = lock_open(concern_id)
    if author != Message.Author.STAFF and _unanswered(concern, author) >= rules.UNANSWERED_MAX:
        raise TooManyMessages(retry_after=3600)
    staff = author == Message.Author.STAFF
    concern.hear(Concern.Turn.PERSON if staff else Concern.Turn.STAFF, at=at)
    concern.record("said", by=by, at=at, author=author)
    message = write(concern, said, author=author, by=by, at=at)
    if author != Message.Author.PERSON:
        tell_person(concern, "help_answered", message.id, said, at=at)
    return message


@transaction.atomic
def withdraw_concern(concern_id: UUID, *, by: Actor, at: datetime) -> Concern:
    """The person takes it back; a clock that it stopped goes on exactly where it stood. Twice is once.

    Raises:
        NotFound: there is no such concern.
        ConcernClosed: it was decided.
    """
    concern = Concern.objects.locked(concern_id)
    if concern.state == Concern.State.WITHDRAWN:
        return concern
    if concern.state != Concern.State.OPEN:
        raise ConcernClosed
    if concern.order_id and _stopped(concern):
        resume_order(concern.order_id, Pause.Reason.PROBLEM, by=by, at=at)
    concern.withdraw(at=at)
    concern.record("withdrawn", by=by, at=at)
    return concern


def reportable(order: Order, *, at: datetime) -> bool:
    """Whether something can still be wrong with it: it began, and did not end too long ago."""
    if order.opened_at is None or order.state in (Order.State.CREATED, Order.State.EXPIRED):
        return False
    ended = order.completed_at or order.cancelled_at
    return ended is None or at <= ended + rules.REPORT_WITHIN


def lock_open(concern_id: UUID, kind: str = "") -> Concern:
    """The concern, locked, while it is open.

    Raises:
        NotFound: there is no such concern, or it is of another kind.
        ConcernClosed: it is over.
    """
    concern = Concern.objects.locked(concern_id)
    if kind and concern.kind != kind:
        raise NotFound
    if concern.state != Concern.State.OPEN:
        raise ConcernClosed
    return concern


def judge_text(text: str) -> str:
    """What was said, without what cannot be seen.

    Raises:
        Invalid: that is nothing, or too much.
    """
    seen = "".join(c for c in text.replace("\r\n", "\n") if c == "\n" or _shows(c)).strip()
    if not 0 < len(seen) <= rules.TEXT_MAX:
        raise Invalid(errors=[FieldError("/text", format_lazy(_("1 to {most} characters."), most=rules.TEXT_MAX))])
    return seen


def open_concern(concern: Concern, said: str, *, by: Actor, at: datetime) -> None:
    concern.opened_at = concern.heard_at = at
    concern.record("opened", by=by, at=at, category=concern.category)
    message = write(concern, said, author=Message.Author.PERSON, by=by, at=at)
    tell_person(concern, "help_received", message.id, said, at=at, quiet=True)


def close_concern(concern: Concern, outcome: str, answer: str, *, by: Actor, at: datetime, **data: Any) -> None:
    """A colleague has decided, and says why."""
    concern.decide(outcome, at=at)
    concern.record("decided", by=by, at=at, outcome=outcome, **data)
    said = judge_text(answer)
    message = write(concern, said, author=Message.Author.STAFF, by=by, at=at)
    tell_person(concern, "help_decided", message.id, said, at=at)


def write(concern: Concern, said: str, *, author: str, by: Actor, at: datetime) -> Message:
    return Message.objects.create(
        concern=concern, person_id=concern.person_id, author=author, by=str(by), text=said, at=at
    )


def tell_person(concern: Concern, stage: str, about: UUID, said: Value, *, at: datetime, quiet: bool = False) -> None:
    """What was said is told to the person where they hear everything else, once for each message."""
    order = concern.order
    item = Item(
        person_id=concern.person_id,
        stage=stage,
        about=about,
        due_at=at,
        values=_values(concern, said, at=at),
        order_id=order.id if order else None,
        quiet=quiet,
    )
    inbox.write_notices([item], realm_id=concern.realm_id, at=at)


def _values(concern: Concern, said: Value, *, at: datetime) -> dict[str, Value]:
    what: Value = ALL_DEBTS
    if concern.order:
        what = concern.order.title
    elif concern.decision:
        what = concern.decision.agreement.service.name
    return {
        "merchant": concern.merchant.name if concern.merchant else US,
        "what": what,
        "amount": concern.order.total if concern.order else Money(0),
        "when": at,
        "reason": said,
        "link": f"{settings.BASE_URL}/help/{concern.public_id}",
    }


def _stopped(concern: Concern) -> bool:
    """Whether it was this report that stopped the clock, and no colleague for the same reason."""
    held = Pause.objects.filter(order=concern.order, reason=Pause.Reason.PROBLEM, ended_at__isnull=True)
    opener = concern.history.filter(seq=1).values("by")
    return concern.kind == Concern.Kind.PROBLEM and held.filter(began_by__in=opener).exists()


def _unanswered(concern: Concern, author: str) -> int:
    """How often somebody has spoken since a colleague last did."""
    answered = concern.messages.filter(author=Message.Author.STAFF).order_by("-id").values_list("id", flat=True).first()
    said = concern.messages.filter(author=author)
    return (said.filter(id__gt=answered) if answered else said).count()


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cs", "Co") and character not in _TURNING
