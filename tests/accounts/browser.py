"""Signing in like a browser, with codes from the locally stored messages."""

import re
from datetime import UTC, datetime

from django.http import HttpResponse
from django.test import Client

from accounts.models import LocalMessage

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
SIGN_UP, SIGN_IN = "/account/signup/", "/account/login/"
CONFIRM_SIGN_UP, CONFIRM_SIGN_IN = "/account/phone/verify/", "/account/login/code/confirm/"
ADA = "+8613812341234"


class Browser:
    """A browser session of a person who signs up or in by phone."""

    def __init__(self) -> None:
        self.client = Client()

    def send(self, path: str, **fields: str) -> HttpResponse:
        answer = self.client.post(path, fields)
        assert isinstance(answer, HttpResponse)
        return answer

    def request_sign_up_code(self, phone: str) -> HttpResponse:
        return self.send(SIGN_UP, phone=phone)

    def request_sign_in_code(self, phone: str) -> HttpResponse:
        return self.send(SIGN_IN, login=phone)

    def is_signed_in(self) -> bool:
        return "_auth_user_id" in self.client.session


def texts_to(phone: str) -> list[str]:
    """Text messages to this phone, oldest first."""
    return list(LocalMessage.objects.filter(to=phone).order_by("id").values_list("text", flat=True))


def latest_code(phone: str) -> str:
    """The code in the newest text message."""
    found = re.search(r"\b[0-9]{6}\b", texts_to(phone)[-1])
    assert found, texts_to(phone)
    return found[0]


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"
