"""Requests for help: report a problem, object to a decision, request a plan, write messages, withdraw."""

import unicodedata
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import notices
from accounts.models import Person
from accounts.notice_rules import Phrase, Value
from accounts.notices import NewNotice
from credit.models import Decision
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import FieldError, Invalid, NotFound
from orders import rules
from orders.models import Concern, Message, Obligation, Order, Pause
from orders.queries import objection_to, owed_obligations
from orders.refusals import (
    ConcernClosed,
    ConcernOpen,
    NothingToReschedule,
    NotObjectionable,
    ReportedOften,
    ReportOpen,
    ReportTooLate,
    TooManyMessages,
)
from orders.services.pauses import pause_order, resume_order

ALL_DEBTS = Phrase({"zh-hans": "您的全部欠款", "en": "everything you owe"})
PLATFORM = Phrase({"zh-hans": "先享后付", "en": "Use now, pay later"})
#: Control characters that change the direction of the text after them.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@transaction.atomic
def report_problem(order_id: UUID, category: str, text: str, *, by: Actor, at: datetime) -> Concern:
    """Report a problem with an order. The first report pauses the order: at once, or as soon as something is owed.

    Staff read further reports and may pause the order again, so repeated reports do not delay payment.

    Raises:
        NotFound: there is no such order, or the person's data was erased.
        Invalid: there is no such kind of problem, or the text is empty or too long.
        ReportTooLate: the order never began, or ended too long ago.
        ReportOpen, ReportedOften: a report is open; the maximum was reached.
    """
    message = validate_text(text)
    if category not in rules.PROBLEMS:
        raise Invalid(errors=[FieldError("/category", _("Choose a problem type."))])
    order = Order.objects.locked(order_id)
    if not can_report(order, at=at):
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
    Person.objects.locked_active(order.person_id)  # fails once their data was erased; the lowest lock comes last
    open_concern(concern, message, by=by, at=at)
    return concern


@transaction.atomic
def object_to_decision(decision_id: UUID, person_id: UUID, text: str, *, by: Actor, at: datetime) -> Concern:
    """The person objects to a refused decision, and staff review it.

    Raises:
        NotFound: the person has no such decision, or their data was erased.
        Invalid: the text is empty or too long.
        NotObjectionable: it was approved, or was objected to before, unless the objection was withdrawn.
    """
    message = validate_text(text)
    Person.objects.locked_active(person_id)
    decision = Decision.objects.filter(pk=decision_id, person_id=person_id).first()
    if decision is None:
        raise NotFound
    if decision.approved or objection_to(decision):
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
            open_concern(concern, message, by=by, at=at)
    except IntegrityError:
        raise NotObjectionable from None
    return concern


@transaction.atomic
def request_plan(
    person_id: UUID, order_id: UUID | None, offer: rules.PlanOffer, text: str, *, by: Actor, at: datetime
) -> Concern:
    """Request a plan that is not granted without review; staff decide. Nothing changes until then.

    Raises:
        NotFound: there is no such person, or order of theirs, or their data was erased.
        Invalid: the text is empty or too long, or the plan is impossible.
        NothingToReschedule: nothing is owed, or only what was written off.
        ConcernOpen: a request is open already.
    """
    message = validate_text(text)
    if not (1 <= offer.parts <= rules.STAFF_PARTS_MAX and offer.parts * offer.every_days <= rules.STAFF_DAYS_MAX):
        raise Invalid(errors=[FieldError("/parts", _("The plan is too long."))])
    person = Person.objects.locked_active(person_id)
    order = Order.objects.filter(pk=order_id, person_id=person_id).first() if order_id else None
    if order_id and order is None:
        raise NotFound
    if not owed_obligations(person_id, order_id).exists():
        raise NothingToReschedule
    concern = Concern(
        realm_id=person.realm_id,
        person_id=person_id,
        order=order,
        kind=Concern.Kind.HARDSHIP,
        plan={"parts": offer.parts, "every_days": offer.every_days},
    )
    try:
        with transaction.atomic():
            open_concern(concern, message, by=by, at=at)
    except IntegrityError:
        raise ConcernOpen from None
    return concern


@transaction.atomic
def add_message(concern_id: UUID, text: str, *, author: str, by: Actor, at: datetime) -> Message:
    """Add a message of the person, staff or the merchant.

    Raises:
        NotFound: there is no such concern.
        Invalid: the text is empty or too long.
        ConcernClosed: it is closed.
        TooManyMessages: earlier messages are still unanswered.
    """
    text = validate_text(text)
    concern = lock_open_concern(concern_id)
    if author != Message.Author.STAFF and _count_unanswered(concern, author) >= rules.UNANSWERED_MAX:
        raise TooManyMessages(retry_after=3600)
    staff = author == Message.Author.STAFF
    concern.pass_turn(Concern.Turn.PERSON if staff else Concern.Turn.STAFF, at=at)
    concern.record("said", by=by, at=at, author=author)
    message = create_message(concern, text, author=author, by=by, at=at)
    if author != Message.Author.PERSON:
        notify_person(concern, "help_answered", message.id, text, at=at)
    return message


@transaction.atomic
def withdraw_concern(concern_id: UUID, *, by: Actor, at: datetime) -> Concern:
    """Withdraw a concern; an order that it paused resumes. Idempotent.

    Raises:
        NotFound: there is no such concern.
        ConcernClosed: it was decided.
    """
    concern = Concern.objects.locked(concern_id)
    if concern.state == Concern.State.WITHDRAWN:
        return concern
    if concern.state != Concern.State.OPEN:
        raise ConcernClosed
    if concern.order_id and _caused_pause(concern):
        resume_order(concern.order_id, Pause.Reason.PROBLEM, by=by, at=at)
    concern.withdraw(at=at)
    concern.record("withdrawn", by=by, at=at)
    return concern


def can_report(order: Order, *, at: datetime) -> bool:
    """Whether a problem can be reported: the order began, and did not end too long ago."""
    if order.opened_at is None or order.state in (Order.State.CREATED, Order.State.EXPIRED):
        return False
    ended = order.completed_at or order.cancelled_at
    return ended is None or at <= ended + rules.REPORT_WINDOW


def lock_open_concern(concern_id: UUID, kind: str = "") -> Concern:
    """Lock a concern that is open.

    Raises:
        NotFound: there is no such concern, or it is of another kind.
        ConcernClosed: it is closed.
    """
    concern = Concern.objects.locked(concern_id)
    if kind and concern.kind != kind:
        raise NotFound
    if concern.state != Concern.State.OPEN:
        raise ConcernClosed
    return concern


def validate_text(text: str) -> str:
    """The text without invisible characters.

    Raises:
        Invalid: it is empty or too long.
    """
    visible = "".join(c for c in text.replace("\r\n", "\n") if c == "\n" or _is_visible(c)).strip()
    if not 0 < len(visible) <= rules.TEXT_MAX:
        raise Invalid(errors=[FieldError("/text", format_lazy(_("1 to {most} characters."), most=rules.TEXT_MAX))])
    return visible


def open_concern(concern: Concern, text: str, *, by: Actor, at: datetime) -> None:
    concern.opened_at = concern.heard_at = at
    concern.record("opened", by=by, at=at, category=concern.category)
    message = create_message(concern, text, author=Message.Author.PERSON, by=by, at=at)
    notify_person(concern, "help_received", message.id, text, at=at, quiet=True)


def close_concern(concern: Concern, outcome: str, answer: str, *, by: Actor, at: datetime, **data: Any) -> None:
    """Close a concern with a staff decision and its answer."""
    concern.decide(outcome, at=at)
    concern.record("decided", by=by, at=at, outcome=outcome, **data)
    text = validate_text(answer)
    message = create_message(concern, text, author=Message.Author.STAFF, by=by, at=at)
    notify_person(concern, "help_decided", message.id, text, at=at)


def create_message(concern: Concern, text: str, *, author: str, by: Actor, at: datetime) -> Message:
    return Message.objects.create(
        concern=concern, person_id=concern.person_id, author=author, by=str(by), text=text, at=at
    )


def notify_person(concern: Concern, stage: str, about: UUID, text: Value, *, at: datetime, quiet: bool = False) -> None:
    """Send the person a notice with the text, once for each message."""
    order = concern.order
    item = NewNotice(
        person_id=concern.person_id,
        stage=stage,
        about=about,
        due_at=at,
        values=_notice_values(concern, text, at=at),
        order_id=order.id if order else None,
        quiet=quiet,
    )
    notices.write_notices([item], realm_id=concern.realm_id, at=at)


def _notice_values(concern: Concern, text: Value, *, at: datetime) -> dict[str, Value]:
    subject: Value = ALL_DEBTS
    if concern.order:
        subject = concern.order.title
    elif concern.decision:
        subject = concern.decision.agreement.service.name
    return {
        "merchant": concern.merchant.name if concern.merchant else PLATFORM,
        "what": subject,
        "amount": concern.order.total if concern.order else Money(0),
        "when": at,
        "reason": text,
        "link": f"{settings.BASE_URL}/help/{concern.public_id}",
    }


def _caused_pause(concern: Concern) -> bool:
    """Whether this report paused the order, rather than staff for the same reason."""
    pauses = Pause.objects.filter(order=concern.order, reason=Pause.Reason.PROBLEM, ended_at__isnull=True)
    reporter = concern.history.filter(seq=1).values("by")
    return concern.kind == Concern.Kind.PROBLEM and pauses.filter(began_by__in=reporter).exists()


def _count_unanswered(concern: Concern, author: str) -> int:
    """How many messages the author sent since staff last answered."""
    answered = concern.messages.filter(author=Message.Author.STAFF).order_by("-id").values_list("id", flat=True).first()
    messages = concern.messages.filter(author=author)
    return (messages.filter(id__gt=answered) if answered else messages).count()


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cs", "Co") and character not in _BIDI_CONTROLS
