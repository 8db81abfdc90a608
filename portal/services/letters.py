"""Emails to merchant staff from the outbox (`Letter`), and password resets.

Letters are claimed in one transaction, sent outside any, and each result is saved in its own. Delivery is at least
once: letters of a worker that died are sent again when its lease ends.
"""

import time
from collections import deque
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts import account_notices, messaging
from accounts import services as accounts
from accounts.models import AccountEvent, User
from billing.models import Payout, PayoutAccount
from kernel import ids
from kernel.actor import Actor
from kernel.bulk_writes import update_all
from kernel.refusal import Refusal
from merchants.models import WebhookEndpoint
from portal import queries, rules
from portal.models import Letter
from portal.services.letter_triggers import RECIPIENTS

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=1)
#: Waits between tries; after the last one the letter is given up.
RETRY_WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
AN_HOUR = timedelta(hours=1)


class PasswordLinkInvalid(Refusal):
    """The password reset link was used, has expired, or is not valid."""

    code, status, title = "password_link_over", 410, _("This link is no longer valid. Ask for a new one.")


@transaction.atomic
def request_password_reset(email: str, *, at: datetime) -> None:
    """Queue a password reset email if the address has an account; the caller learns nothing about that.

    Users without a business get one too: they may be invited again, or somebody else may have made the account.
    At most `PASSWORD_LETTERS_AN_HOUR` are queued an hour.
    """
    found = User.objects.filter(username=email.strip().lower(), is_active=True, is_staff=False).first()
    if found is None or not found.email:
        return
    user = User.objects.locked(found.id)
    recent = Letter.objects.filter(user=user, kind=Letter.Kind.PASSWORD, at__gt=at - AN_HOUR).count()
    if recent < rules.PASSWORD_LETTERS_AN_HOUR:
        key_fields = {"user": user, "kind": Letter.Kind.PASSWORD, "about": user.id, "happened_at": at}
        Letter.objects.get_or_create(**key_fields, defaults={"at": at, "next_at": at})


def user_of_reset_link(user: str, token: str) -> User:
    """The user of a password reset link.

    Raises:
        PasswordLinkInvalid: the link is no longer valid.
    """
    key = ids.parse(User.prefix, user)
    found = User.objects.filter(pk=key, is_active=True, is_staff=False).first() if key else None
    if found is None or not default_token_generator.check_token(found, token):
        raise PasswordLinkInvalid
    return found


@transaction.atomic
def reset_password(user: str, token: str, password: str, *, at: datetime) -> User:
    """Set a new password by a reset link. The link is used up, and all sessions of the user end.

    Raises:
        PasswordLinkInvalid: the link is no longer valid, or was used at the same moment.
        WeakPassword: the password is too easy to guess.
    """
    User.objects.locked(user_of_reset_link(user, token).id)
    found = user_of_reset_link(user, token)
    return accounts.change_password(found.id, password, by=Actor.member(found.id), at=at)


def queue_security_letter(event: AccountEvent) -> None:
    """Queue a letter about a security event of a merchant user's account, in the event's transaction.

    Platform staff have no email address.
    """
    user = event.user
    if user is not None and user.email and not user.is_staff:
        fields = {"about": event.id, "happened_at": event.at, "at": event.at, "next_at": event.at}
        Letter.objects.create(user=user, kind=Letter.Kind.SECURITY, **fields)


def send_due(*, at: datetime, limit: int) -> int:
    """Send the letters that are due, saving each result. Returns how many were claimed.

    Letters not reached within half the lease, or when the worker's time is up, are released.
    """
    rows = _claim(at=at, limit=limit)
    left = deque(rows)
    until = time.monotonic() + LEASE.total_seconds() / 2
    try:
        while left and time.monotonic() < until:
            row = left.popleft()
            if _is_still_recipient(row):
                _record_result(row, sent=_send(row), at=at)
            else:
                _cancel(row)
    finally:
        _release(left, at=at)
    return len(rows)


@transaction.atomic
def _claim(*, at: datetime, limit: int) -> list[Letter]:
    """Claim due letters: their next try is moved past the lease, so that a crash only delays them."""
    due = Letter.objects.filter(next_at__lte=at).select_related("user").order_by("next_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    for row in rows:
        row.tries, row.next_at = row.tries + 1, at + LEASE
    update_all(rows, ["tries", "next_at"])
    return rows


@transaction.atomic
def _record_result(row: Letter, *, sent: bool, at: datetime) -> None:
    """Save the result of sending; a failure is retried. A letter claimed by another worker since is left alone."""
    now = Letter.objects.select_for_update(no_key=True).get(pk=row.pk)
    if sent:
        now.sent_at, now.next_at = now.sent_at or at, None
    elif now.next_at == row.next_at:
        now.next_at = at + RETRY_WAITS[now.tries - 1] if now.tries <= len(RETRY_WAITS) else None
    now.save(update_fields=["sent_at", "next_at"])


@transaction.atomic
def _cancel(row: Letter) -> None:
    """Give the letter up without sending it."""
    now = Letter.objects.select_for_update(no_key=True).get(pk=row.pk)
    now.next_at = None
    now.save(update_fields=["next_at"])


@transaction.atomic
def _release(left: Collection[Letter], *, at: datetime) -> None:
    """Make unsent letters due again, without counting a try."""
    leases = {row.pk: row.next_at for row in left}
    rows = Letter.objects.select_for_update(no_key=True).filter(pk__in=leases).order_by("pk")
    ours = [row for row in rows if row.next_at == leases[row.pk]]
    for row in ours:
        row.tries, row.next_at = row.tries - 1, at
    update_all(ours, ["tries", "next_at"])


def _is_still_recipient(row: Letter) -> bool:
    """Whether the user still has a role that receives such letters. Letters about their own account always go out."""
    if row.kind not in RECIPIENTS:
        return True
    about, roles = RECIPIENTS[row.kind]
    business = queries.business_of(about.objects.values_list("merchant_id", flat=True).get(pk=row.about))
    member = queries.member_of(row.user_id, business.live.id) if business else None
    return member is not None and member.role in roles


def _send(row: Letter) -> bool:
    try:
        subject, body = _render_letter(row)
        messaging.send_mail(row.user.email, subject, body)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.exception("letter_not_sent", letter=row.public_id)
        return False
    return True


def _render_letter(row: Letter) -> tuple[str, str]:
    """Subject and body in the user's language; the template's first line is the subject."""
    with translation.override(row.user.language):
        text = render_to_string(f"portal/letters/{row.kind}.txt", _letter_context(row))
    subject, _blank, body = text.strip().partition("\n\n")
    return subject, body + "\n"


def _letter_context(row: Letter) -> dict[str, object]:
    if row.kind == Letter.Kind.PASSWORD:
        path = reverse("merchant_new_password", args=[row.user.public_id, default_token_generator.make_token(row.user)])
        return {"link": settings.BASE_URL + path, "minutes": settings.PASSWORD_RESET_TIMEOUT // 60}
    if row.kind == Letter.Kind.ACCOUNT:
        account = PayoutAccount.objects.select_related("merchant__realm").get(pk=row.about)
        path = reverse("merchant_settlements", args=[account.merchant.public_id])
        agreed = row.happened_at == account.decided_at
        live = account.merchant.mode == "live"
        return {"account": account, "agreed": agreed, "live": live, "link": settings.BASE_URL + path}
    if row.kind == Letter.Kind.PAYOUT:
        payout = Payout.objects.select_related("merchant__realm", "account", "settlement").get(pk=row.about)
        path = reverse("merchant_settlement", args=[payout.merchant.public_id, payout.settlement.public_id])
        live = payout.merchant.mode == "live"
        return {"payout": payout, "account": payout.account, "live": live, "link": settings.BASE_URL + path}
    if row.kind == Letter.Kind.SECURITY:
        what = account_notices.describe_change(AccountEvent.objects.get(pk=row.about), row.user.language)
        return {"what": what, "link": settings.BASE_URL + reverse("merchant_security")}
    endpoint = WebhookEndpoint.objects.select_related("merchant").get(pk=row.about)
    path = reverse("merchant_endpoint", args=[endpoint.merchant.public_id, endpoint.public_id])
    return {"endpoint": endpoint, "link": settings.BASE_URL + path}
