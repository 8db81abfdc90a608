"""Signing in as a browser does it, with the code read off the local messages."""

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
    """Somebody with a phone in one hand and our pages in the other."""

    def __init__(self) -> None:
        self.client = Client()

    def send(self, path: str, **fields: str) -> HttpResponse:
        answer = self.client.post(path, fields)
        assert isinstance(answer, HttpResponse)
        return answer

    def ask_to_sign_up(self, phone: str) -> HttpResponse:
        return self.send(SIGN_UP, phone=phone)

    def ask_to_sign_in(self, phone: str) -> HttpResponse:
        return self.send(SIGN_IN, login=phone)

    def signed_in(self) -> bool:
        return "_auth_user_id" in self.client.session


def texts_to(phone: str) -> list[str]:
    """Texts that arrived on this phone, oldest first."""
    return list(LocalMessage.objects.filter(to=phone).order_by("id").values_list("text", flat=True))


def code_on(phone: str) -> str:
    """The code of the newest text."""
    found = re.search(r"\b[0-9]{6}\b", texts_to(phone)[-1])
    assert found, texts_to(phone)
    return found[0]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"
