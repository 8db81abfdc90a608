"""Signed-in clients of staff in each group, and posting console forms."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts import services as accounts
from accounts.models import User
from tests.browsing import form_token, signed_in_client
from tests.conftest import BY, NOON

_FIELD = re.compile(r'<input type="hidden" name="seen" value="([0-9a-f]*)">')


def staff(*roles: str, name: str = "") -> User:
    return accounts.create_staff(name or "-".join(roles), "correct horse battery", roles=roles, by=BY, at=NOON)


@pytest.fixture
def console_client(db: None) -> Callable[..., Client]:
    """A function that returns a client signed in as a colleague of the given groups."""

    def sign_in_as(*roles: str, language: str = "zh-CN") -> Client:
        return signed_in_client(User.objects.filter(username="-".join(roles)).first() or staff(*roles), language)

    return sign_in_as


@pytest.fixture
def supervisor(console_client: Callable[..., Client]) -> Client:
    """A client signed in as a supervisor."""
    return console_client("supervisor")


@pytest.fixture
def risk(console_client: Callable[..., Client]) -> Client:
    return console_client("risk")


@pytest.fixture
def support(console_client: Callable[..., Client]) -> Client:
    return console_client("support")


def page_text(page: Any) -> str:
    """The readable text of a console page."""
    body = page.content.decode().partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def preview_digest(page: Any) -> str:
    """The digest of the preview that the form sends back."""
    found = _FIELD.search(page.content.decode())
    assert found
    return found[1]


def submit_form(client: Client, path: str, **fields: Any) -> Any:
    """Open the page, fill in its form and post it."""
    return client.post(path, {"token": form_token(client.get(path)), **fields})
