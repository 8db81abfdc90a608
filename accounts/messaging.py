"""Sending text messages by SMS_BACKEND and mail by Django's EMAIL_BACKEND.

In development and tests both are stored in a table instead, shown at /dev/messages.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from accounts import rules
from accounts.models import LocalMessage
from kernel.bulk_writes import insert_all

log = structlog.get_logger(__name__)
#: What pages show when a message could not be sent.
SEND_FAILED = _("It could not be sent. Try again in a few minutes.")
#: Messages to store together, inside `buffered_messages`.
_buffer: ContextVar[list[LocalMessage] | None] = ContextVar("kept", default=None)


class SmsBackend(Protocol):
    """The interface of SMS_BACKEND. One instance for each message; any exception means that it was not sent."""

    def send(self, phone: str, text: str) -> None: ...


def send_text(phone: str, text: str) -> None:
    """Send `text` to this E.164 number. Numbers of sandbox people do not exist, so nothing is sent to them."""
    if rules.is_fictional(phone) and not settings.LOCAL_MESSAGES:
        return
    if not settings.SMS_BACKEND:
        raise ImproperlyConfigured("SMS_BACKEND names nobody who could send a text message.")
    backend: SmsBackend = import_string(settings.SMS_BACKEND)()
    backend.send(phone, text)


def send_mail(address: str, subject: str, body: str) -> None:
    """Send a mail by Django's EMAIL_BACKEND. Raises what the backend raises if it was not sent."""
    EmailMessage(subject, body, to=[address]).send()


def try_send(send: Callable[..., None], to: str, *parts: str) -> bool:
    """Send a message, and return whether that succeeded; errors are logged."""
    try:
        send(to, *parts)
    except Exception:
        log.exception("message_not_sent")
        return False
    return True


def store_sandbox_text(phone: str, text: str) -> None:
    """Store a text message to a sandbox person where messages are stored locally; it is never sent."""
    if settings.LOCAL_MESSAGES:
        store_message("sms", phone, text)


def store_sandbox_mail(address: str, subject: str, body: str) -> None:
    """Store a mail to a sandbox person where messages are stored locally; it is never sent."""
    if settings.LOCAL_MESSAGES:
        store_message("mail", address, mail_as_text(subject, body))


class LocalTexts:
    """Stores text messages instead of sending them."""

    def send(self, phone: str, text: str) -> None:
        store_message("sms", phone, text)


class LocalMail(BaseEmailBackend):
    """Stores mails instead of sending them, one row for each recipient."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for mail in email_messages:
            for address in mail.recipients():
                store_message("mail", address, mail_as_text(str(mail.subject), str(mail.body)))
        return len(email_messages)


def mail_as_text(subject: str, body: str) -> str:
    return f"{subject}\n\n{body}"


@contextmanager
def buffered_messages() -> Iterator[None]:
    """Store the messages of this block in one INSERT at its end."""
    if _buffer.get() is not None:
        yield
        return
    token = _buffer.set([])
    try:
        yield
        insert_all(_buffer.get() or [])
    finally:
        _buffer.reset(token)


def store_message(kind: str, to: str, text: str) -> None:
    """Store a message locally. Refused in production, where stored codes would be a security hole."""
    if not settings.LOCAL_MESSAGES:
        raise ImproperlyConfigured("Messages are kept on a developer's machine and in tests only.")
    message, waiting = LocalMessage(kind=kind, to=to, text=text), _buffer.get()
    if waiting is None:
        message.save(force_insert=True)
    else:
        waiting.append(message)
