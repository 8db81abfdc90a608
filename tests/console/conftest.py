"""Colleagues at the console: one of each group, and the forms they send."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts import services as accounts
from accounts.models import User
from tests.conftest import BY, NOON
from tests.visiting import signed_in, token_on

_FIELD = re.compile(r'<input type="hidden" name="seen" value="([0-9a-f]*)">')


def staff(*roles: str, name: str = "") -> User:
    return accounts.create_staff(name or "-".join(roles), "correct horse battery", roles=roles, by=BY, at=NOON)


@pytest.fixture
def at_desk(db: None) -> Callable[..., Client]:
    """A browser in which a colleague of these groups is signed in; it sends nothing without a CSRF token of ours."""

    def sit_down(*roles: str, language: str = "zh-CN") -> Client:
        return signed_in(User.objects.filter(username="-".join(roles)).first() or staff(*roles), language)

    return sit_down


@pytest.fixture
def boss(at_desk: Callable[..., Client]) -> Client:
    """A supervisor, who may do the most of all."""
    return at_desk("supervisor")


@pytest.fixture
def risk(at_desk: Callable[..., Client]) -> Client:
    return at_desk("risk")


@pytest.fixture
def support(at_desk: Callable[..., Client]) -> Client:
    return at_desk("support")


def words_of(page: Any) -> str:
    """What can be read on a page of the console."""
    body = page.content.decode().partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def seen_on(page: Any) -> str:
    """What a preview gives its form to say that it was looked at."""
    found = _FIELD.search(page.content.decode())
    assert found
    return found[1]


def does(client: Client, path: str, **fields: Any) -> Any:
    """Opens the page, fills in its form and sends it."""
    return client.post(path, {"token": token_on(client.get(path)), **fields})
