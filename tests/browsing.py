"""Signed-in test clients, and helpers to read and fill in pages."""

import re
from datetime import datetime
from html import unescape
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from accounts import notices
from accounts.models import Person, User
from accounts.visitor import PERSON_BY_USER
from kernel.models import Realm

_TAGS, _SPACES = re.compile(r"<[^>]+>"), re.compile(r"\s+")
_TERMS = re.compile(r'name="terms" value="([0-9a-f]{24})"')
_BEFORE = re.compile(r'name="(initial-\w+)"(?: value="([^"]*)")?')
_TOKEN = re.compile(r'name="token" value="([0-9a-f]{24})"')


def client_for(person: Person, language: str = "zh-CN") -> Client:
    """A signed-in client of the person. Statements that a connection prepares once are prepared, for query counts."""
    assert person.user is not None
    PERSON_BY_USER.rows(person.user.pk)
    notices.unread_count(person.pk)
    return signed_in_client(person.user, language)


def signed_in_client(user: User, language: str = "zh-CN") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def with_user_agent(browser: Client, user_agent: str) -> Client:
    """Set the session's user agent, as at sign-in."""
    key = browser.session.session_key
    UserSession.objects.filter(session_key=key).delete()
    user = browser.session["_auth_user_id"]
    UserSession.objects.create(user_id=user, ip="203.0.113.9", session_key=key, user_agent=user_agent)
    return browser


def visible_text(response: HttpResponse) -> str:
    """The text of the page's main element, without tags and repeated spaces."""
    body = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return _SPACES.sub(" ", unescape(_TAGS.sub(" ", body)))


def form_token(response: HttpResponse) -> str:
    """The token of the page's form."""
    found = _TOKEN.search(response.content.decode())
    assert found, "the page has no form with a token"
    return found[1]


def accept_terms(browser: Client, path: str, **fields: str) -> Any:
    """Accept the terms that the page shows."""
    seen = _TERMS.search(browser.get(path).content.decode())
    return browser.post(path, fields | ({"terms": seen[1]} if seen else {}))


def initial_values(response: HttpResponse) -> dict[str, list[str]]:
    """The initial values that the page's form carries in hidden fields."""
    fields = _BEFORE.findall(response.content.decode())
    return {name: [unescape(value) for each, value in fields if each == name] for name, _value in fields}


def freeze_clock(moment: datetime, person: Person) -> None:
    """Freeze the clock of the person's sandbox at this moment."""
    Realm.objects.filter(pk=person.realm_id).update(frozen_at=moment)
