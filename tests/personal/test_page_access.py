"""Access to every page of a person: others get 404, cross-site forms are refused, and malformed input is handled.

The pages are read from the URLs, so a new one is tested automatically.
"""

import inspect
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Notice, Person
from accounts.visitor import Visitor
from credit.models import Agreement, Decision
from kernel.forms import new_form_token
from orders.models import Concern, Order
from personal.services import exports
from personal.services.proofs import issue_proof
from tests.browsing import client_for, freeze_clock
from tests.conftest import BY, NOON, Shop, make_person
from tests.nonsense import NONSENSE
from tests.personal.conftest import fresh as signed_in_afresh
from tests.personal.test_pages import NOW
from tests.unchanged import assert_unchanged

#: What a GET or a refused request may write: a session's last activity, a form token.
TRACES = ("django_session", "usersessions_usersession", "kernel_idempotencykey")
#: Not found; method not allowed; or redirected to one's own list.
MISSING = (404, 405, 302)
NUMBERS = {"key": 7_000_001, "device": 7_000_002}


def pages(found: list[Any] | None = None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The name and the URL arguments of each page that only a person sees."""
    for entry in get_resolver().url_patterns if found is None else found:
        if isinstance(entry, URLResolver):
            yield from pages(entry.url_patterns)
        elif isinstance(entry, URLPattern) and entry.name and is_a_persons(entry.callback):
            yield entry.name, tuple(entry.pattern.converters)


def is_a_persons(view: Any) -> bool:
    first = next(iter(inspect.signature(view).parameters.values()), None)
    return first is not None and first.annotation is Visitor


PAGES = dict(pages())
WITH_NAMES = {name: names for name, names in PAGES.items() if names}


@pytest.fixture
def own_rows(finished_order: Order, ada: Person) -> dict[str, Any]:
    """One of each of Ada's objects that has a URL."""
    agreement = Agreement.objects.get(person=ada)
    freeze_clock(NOON, ada)
    named = {
        "order": finished_order,
        "agreement": agreement,
        "instrument": ada.instruments.first(),
        "concern": Concern.objects.filter(person=ada).first(),
        "decision": Decision.objects.filter(agreement=agreement).first(),
        "notice": Notice.objects.filter(person=ada).first(),
        "proof": issue_proof(ada.id, ["band"], 7, by=BY, at=NOW),
        "export": exports.request_export(ada.id, by=BY, at=NOW),
    }
    assert all(named.values()), named
    return {name: row.public_id for name, row in named.items()} | NUMBERS


def filled() -> dict[str, str]:
    """Valid input for every form field."""
    told = {
        "answer": "yes",
        "amount": "1.00",
        "text": "借错了",
        "category": "other",
        "place": "0",
        "most": "9",
        "daily": "",
    }
    return told | {"token": new_form_token(), "day": "2026-11-23", "name": "博文", "id_number": "11010519491231002X"}


def same(answer: HttpResponse) -> tuple[int, bytes, str]:
    return answer.status_code, answer.content, answer.get("Location", "")


def test_every_page_of_a_persons_is_known() -> None:
    assert {"mine", "orders", "order", "pay", "confirm", "sign", "inbox", "settings", "proofs"} <= set(PAGES)
    assert {name for names in WITH_NAMES.values() for name in names} <= {
        *("order", "agreement", "instrument", "concern", "decision", "notice", "proof", "export"),
        *NUMBERS,
    }


def test_pages_of_others_look_missing_and_change_nothing(own_rows: dict[str, Any], power_bank: Shop) -> None:
    stranger = signed_in_afresh(make_person(power_bank, name="陌生人"))
    nobody = {name: f"{str(value)[:4]}{'0' * 32}" for name, value in own_rows.items()} | dict.fromkeys(NUMBERS, 9)
    with assert_unchanged(*TRACES):
        for name, names in WITH_NAMES.items():
            theirs, missing = (reverse(name, args=[kept[one] for one in names]) for kept in (own_rows, nobody))
            for ask in (stranger.get, lambda path: stranger.post(path, filled())):
                answer, none = ask(theirs), ask(missing)
                assert answer.status_code in MISSING, (name, answer.status_code)
                assert same(answer) == same(none), name


def test_no_other_site_sends_a_form_of_ours(own_rows: dict[str, Any], ada: Person) -> None:
    guarded = Client(enforce_csrf_checks=True)
    guarded.cookies = client_for(ada).cookies
    paths = [reverse(name, args=[own_rows[one] for one in names]) for name, names in PAGES.items()]
    with assert_unchanged(*TRACES):
        for path in [*paths, reverse("set_language"), reverse("account_login"), reverse("account_logout")]:
            assert guarded.post(path, filled()).status_code == 403, path


def test_looking_changes_nothing_and_noise_is_answered(own_rows: dict[str, Any], ada: Person) -> None:
    """Each page gets some of the malformed inputs; together they get all of them, several times. Reading a notice is
    recorded.
    """
    browser, noises = client_for(ada), cycle(NONSENSE)
    forms = ("pay", "pay_all", "move", "report", "hardship", "ask_hardship", "limit_instrument", "put_instrument")
    more = ("instrument", "offer", "parts", "every_days", "behaviour", "next", "sum", "order", "days", "currency")
    asked = ("cursor", "q", "month", "shelf", "changes", "decisions", "show", "next", "some", "order", "statement")
    with assert_unchanged(*TRACES, "accounts_delivery"):
        for name, names in PAGES.items():
            right = reverse(name, args=[own_rows[one] for one in names])
            noise = next(noises)
            assert browser.get(right, dict.fromkeys(asked, noise)).status_code < 500, (name, noise)
            if names and not set(names) & set(NUMBERS):
                wrong = reverse(name, args=[noise.replace("/", "") for _one in names])
                assert browser.get(wrong).status_code in MISSING, (name, noise)
        for name in [*forms, *forms]:
            noise = next(noises)
            fields = dict.fromkeys((*filled(), *more), noise) | {"token": new_form_token()}
            answer = browser.post(reverse(name, args=[own_rows[one] for one in PAGES[name]]), fields)
            assert answer.status_code < 500, (name, noise)
            assert "<script>alert" not in answer.content.decode(), name


ELSEWHERE = ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)")


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_no_redirect_leads_to_another_site(elsewhere: str, ada: Person) -> None:
    browser = client_for(ada)
    for path in ("/language", "/instruments/wallet", "/account/logout/"):
        answer = browser.post(path, {"next": elsewhere, "language": "en"})
        assert answer.status_code == 302, path
        assert "evil" not in answer["Location"], path
        assert "script" not in answer["Location"], path
