"""Somebody looks at their pages: a signed-in browser without a screen."""

import re
from datetime import datetime
from html import unescape
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from accounts import inbox
from accounts.models import Person, User
from accounts.visitor import OF_USER
from kernel.models import Realm

_TAGS, _SPACES = re.compile(r"<[^>]+>"), re.compile(r"\s+")
_TERMS = re.compile(r'name="terms" value="([0-9a-f]{24})"')
_BEFORE = re.compile(r'name="(initial-\w+)"(?: value="([^"]*)")?')
_TOKEN = re.compile(r'name="token" value="([0-9a-f]{24})"')


def visiting(person: Person, language: str = "zh-CN") -> Client:
    """The person's own browser, signed in. What a connection learns once for every page it has learnt."""
    assert person.user is not None
    OF_USER.rows(person.user.pk)
    inbox.unread_by(person.pk)
    return signed_in(person.user, language)


def signed_in(user: User, language: str = "zh-CN") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def at_a(browser: Client, user_agent: str) -> Client:
    """The browser says what it is, as one does when it signs in."""
    key = browser.session.session_key
    UserSession.objects.filter(session_key=key).delete()
    user = browser.session["_auth_user_id"]
    UserSession.objects.create(user_id=user, ip="203.0.113.9", session_key=key, user_agent=user_agent)
    return browser


def words(response: HttpResponse) -> str:
    """What can be read on the page, without its tags and runs of blanks."""
    body = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return _SPACES.sub(" ", unescape(_TAGS.sub(" ", body)))


def token_on(response: HttpResponse) -> str:
    """What names this rendering of the page's form."""
    found = _TOKEN.search(response.content.decode())
    assert found, "the page has no form with a token"
    return found[1]


def agrees(browser: Client, path: str, **fields: str) -> Any:
    """Whoever looks at the terms of a service and says yes to what they saw."""
    seen = _TERMS.search(browser.get(path).content.decode())
    return browser.post(path, fields | ({"terms": seen[1]} if seen else {}))


def shown_on(response: HttpResponse) -> dict[str, list[str]]:
    """What the page's form was filled with, as it carries that along."""
    fields = _BEFORE.findall(response.content.decode())
    return {name: [unescape(value) for each, value in fields if each == name] for name, _value in fields}


def it_is(moment: datetime, person: Person) -> None:
    """The person's sandbox stands still at this moment."""
    Realm.objects.filter(pk=person.realm_id).update(frozen_at=moment)
