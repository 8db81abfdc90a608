"""Mails to those who work for a merchant: claimed in one transaction, sent in none, each settled in one of its own.

At least once: a worker that dies in between leaves its letters to be sent once more.
"""

import time
from collections import deque
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts import notices, reach
from accounts import services as accounts
from accounts.models import AccountEvent, User
from billing.models import Payout, PayoutAccount
from kernel import ids
from kernel.actor import Actor
from kernel.refusal import Refusal
from kernel.time_limit import TimeIsUp
from kernel.writes import update_all
from merchants.models import WebhookEndpoint
from portal import queries, rules
from portal.models import Letter
from portal.services.writing import CONCERNS

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=1)
#: After each try that failed; after the last it is given up.
WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
AN_HOUR = timedelta(hours=1)


class PasswordLinkOver(Refusal):
    """The link to a new password was used, is too old, or never was one."""

    code, status, title = "password_link_over", 410, _("This link is no longer valid. Ask for a new one.")


@transaction.atomic
def ask_new_password(email: str, *, at: datetime) -> None:
    """Somebody says that they have forgotten their password. Whether they have an account is told to nobody but them.

    Who works for no business any more has a right to their address too: they may be invited again, or somebody else
    may have made the account. More than a few letters an hour are not written.
    """
    found = User.objects.filter(username=email.strip().lower(), is_active=True, is_staff=False).first()
    if found is None or not found.email:
        return
    user = User.objects.locked(found.id)
    lately = Letter.objects.filter(user=user, kind=Letter.Kind.PASSWORD, at__gt=at - AN_HOUR).count()
    if lately < rules.PASSWORD_LETTERS_AN_HOUR:
        asked = {"user": user, "kind": Letter.Kind.PASSWORD, "about": user.id, "happened_at": at}
        Letter.objects.get_or_create(**asked, defaults={"at": at, "next_at": at})


def whose_link(user: str, token: str) -> User:
    """Who holds this link to a new password.

    Raises:
        PasswordLinkOver: it is no longer good.
    """
    key = ids.parse(User.prefix, user)
    found = User.objects.filter(pk=key, is_active=True, is_staff=False).first() if key else None
    if found is None or not default_token_generator.check_token(found, token):
        raise PasswordLinkOver
    return found


@transaction.atomic
def take_new_password(user: str, token: str, password: str, *, at: datetime) -> User:
    """Whoever holds the link has another password; the link is used up, and every session of theirs ends.

    Raises:
        PasswordLinkOver: it is no longer good, or somebody was quicker with it.
        WeakPassword: it is too easy to guess.
    """
    User.objects.locked(whose_link(user, token).id)
    found = whose_link(user, token)
    return accounts.change_password(found.id, password, by=Actor.member(found.id), at=at)


def write_of_hand(event: AccountEvent) -> None:
    """Whoever works for a merchant is written to about a hand on their account, in the transaction that it is of.

    Colleagues have no address with us.
    """
    user = event.user
    if user is not None and user.email and not user.is_staff:
        about = {"about": event.id, "happened_at": event.at, "at": event.at, "next_at": event.at}
        Letter.objects.create(user=user, kind=Letter.Kind.SECURITY, **about)


def send_due(*, at: datetime, limit: int) -> int:
    """Send what is due by now, each written down as it ends. Returns how many were taken up.

    What half the lease does not reach, and what is left when the worker's time is up, is given back.
    """
    rows = _claim(at=at, limit=limit)
    left = deque(rows)
    until = time.monotonic() + LEASE.total_seconds() / 2
    try:
        while left and time.monotonic() < until:
            row = left.popleft()
            if _still_concerns(row):
                _settle(row, sent=_sent(row), at=at)
            else:
                _drop(row)
    finally:
        _give_back(left, at=at)
    return len(rows)


@transaction.atomic
def _claim(*, at: datetime, limit: int) -> list[Letter]:
    """Letters to send now, each already put off, so that whoever dies here only delays them."""
    due = Letter.objects.filter(next_at__lte=at).select_related("user").order_by("next_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    for row in rows:
        row.tries, row.next_at = row.tries + 1, at + LEASE
    update_all(rows, ["tries", "next_at"])
    return rows


@transaction.atomic
def _settle(row: Letter, *, sent: bool, at: datetime) -> None:
    """Write down how sending one ended; what failed comes again. What somebody else took up since is theirs."""
    now = Letter.objects.select_for_update(no_key=True).get(pk=row.pk)
    if sent:
        now.sent_at, now.next_at = now.sent_at or at, None
    elif now.next_at == row.next_at:
        now.next_at = at + WAITS[now.tries - 1] if now.tries <= len(WAITS) else None
    now.save(update_fields=["sent_at", "next_at"])


@transaction.atomic
def _drop(row: Letter) -> None:
    """It is not sent, nor tried again."""
    now = Letter.objects.select_for_update(no_key=True).get(pk=row.pk)
    now.next_at = None
    now.save(update_fields=["next_at"])


@transaction.atomic
def _give_back(left: Collection[Letter], *, at: datetime) -> None:
    """Nobody came to these: they are due as before, and nothing was tried."""
    leases = {row.pk: row.next_at for row in left}
    rows = Letter.objects.select_for_update(no_key=True).filter(pk__in=leases).order_by("pk")
    ours = [row for row in rows if row.next_at == leases[row.pk]]
    for row in ours:
        row.tries, row.next_at = row.tries - 1, at
    update_all(ours, ["tries", "next_at"])


def _still_concerns(row: Letter) -> bool:
    """Whether whoever it is for still hears of such things there; of their own account they do wherever they work."""
    if row.kind not in CONCERNS:
        return True
    about, roles = CONCERNS[row.kind]
    business = queries.business_of(about.objects.values_list("merchant_id", flat=True).get(pk=row.about))
    member = queries.member_of(row.user_id, business.live.id) if business else None
    return member is not None and member.role in roles


def _sent(row: Letter) -> bool:
    try:
        subject, body = _words(row)
        notices.send_mail(row.user.email, subject, body)
    except TimeIsUp:
        raise
    except Exception:
        log.exception("letter_not_sent", letter=row.public_id)
        return False
    return True


def _words(row: Letter) -> tuple[str, str]:
    """In the language of whoever gets it: the first line is the subject."""
    with translation.override(row.user.language):
        text = render_to_string(f"portal/letters/{row.kind}.txt", _named(row))
    subject, _blank, body = text.strip().partition("\n\n")
    return subject, body + "\n"


def _named(row: Letter) -> dict[str, object]:
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
        what = reach.done_in(AccountEvent.objects.get(pk=row.about), row.user.language)
        return {"what": what, "link": settings.BASE_URL + reverse("merchant_security")}
    endpoint = WebhookEndpoint.objects.select_related("merchant").get(pk=row.about)
    path = reverse("merchant_endpoint", args=[endpoint.merchant.public_id, endpoint.public_id])
    return {"endpoint": endpoint, "link": settings.BASE_URL + path}
