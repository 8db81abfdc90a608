"""Every page of a person's: another's is a missing one, no other site sends its forms, and noise is answered.

The pages are read off the addresses, so that a new one is in here from its first day.
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
from kernel.forms import new_token
from orders.models import Concern, Order
from personal.services import export as exports
from personal.services.proof import issue_proof
from tests.conftest import BY, NOON, Shop, someone
from tests.nonsense import NONSENSE
from tests.personal.conftest import fresh as signed_in_afresh
from tests.personal.test_pages import NOW
from tests.stillness import nothing_moves
from tests.visiting import it_is, visiting

#: What looking or trying may write: a session's last sign of life, that a form was seen once.
TRACES = ("django_session", "usersessions_usersession", "kernel_idempotencykey")
#: Not there; not by this method; and who comes by the wrong one is led to the list of what is theirs.
MISSING = (404, 405, 302)
NUMBERS = {"key": 7_000_001, "device": 7_000_002}


def pages(found: list[Any] | None = None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The name of each page that only a person sees, and what its address names."""
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
def hers(lived: Order, ada: Person) -> dict[str, Any]:
    """One of everything of Ada's that has an address."""
    agreement = Agreement.objects.get(person=ada)
    it_is(NOON, ada)
    named = {
        "order": lived,
        "agreement": agreement,
        "instrument": ada.instruments.first(),
        "concern": Concern.objects.filter(person=ada).first(),
        "decision": Decision.objects.filter(agreement=agreement).first(),
        "notice": Notice.objects.filter(person=ada).first(),
        "proof": issue_proof(ada.id, ["band"], 7, by=BY, at=NOW),
        "export": exports.ask_export(ada.id, by=BY, at=NOW),
    }
    assert all(named.values()), named
    return {name: row.public_id for name, row in named.items()} | NUMBERS


def filled() -> dict[str, str]:
    """Whatever a form of ours may ask, rightly filled in."""
    told = {
        "answer": "yes",
        "amount": "1.00",
        "text": "借错了",
        "category": "other",
        "place": "0",
        "most": "9",
        "daily": "",
    }
    return told | {"token": new_token(), "day": "2026-11-23", "name": "博文", "id_number": "11010519491231002X"}


def same(answer: HttpResponse) -> tuple[int, bytes, str]:
    return answer.status_code, answer.content, answer.get("Location", "")


def test_every_page_of_a_persons_is_known() -> None:
    assert {"mine", "orders", "order", "pay", "confirm", "sign", "inbox", "settings", "proofs"} <= set(PAGES)
    assert {name for names in WITH_NAMES.values() for name in names} <= {
        *("order", "agreement", "instrument", "concern", "decision", "notice", "proof", "export"),
        *NUMBERS,
    }


def test_anothers_is_missing_byte_for_byte_and_nothing_moves(hers: dict[str, Any], power_bank: Shop) -> None:
    stranger = signed_in_afresh(someone(power_bank, name="陌生人"))
    nobody = {name: f"{str(value)[:4]}{'0' * 32}" for name, value in hers.items()} | dict.fromkeys(NUMBERS, 9)
    with nothing_moves(*TRACES):
        for name, names in WITH_NAMES.items():
            theirs, missing = (reverse(name, args=[kept[one] for one in names]) for kept in (hers, nobody))
            for ask in (stranger.get, lambda path: stranger.post(path, filled())):
                answer, none = ask(theirs), ask(missing)
                assert answer.status_code in MISSING, (name, answer.status_code)
                assert same(answer) == same(none), name


def test_no_other_site_sends_a_form_of_ours(hers: dict[str, Any], ada: Person) -> None:
    guarded = Client(enforce_csrf_checks=True)
    guarded.cookies = visiting(ada).cookies
    paths = [reverse(name, args=[hers[one] for one in names]) for name, names in PAGES.items()]
    with nothing_moves(*TRACES):
        for path in [*paths, reverse("set_language"), reverse("account_login"), reverse("account_logout")]:
            assert guarded.post(path, filled()).status_code == 403, path


def test_looking_changes_nothing_but_that_a_notice_is_read(hers: dict[str, Any], ada: Person) -> None:
    hers_only = visiting(ada)
    with nothing_moves(*TRACES, "accounts_delivery"):
        for name, names in PAGES.items():
            answer = hers_only.get(reverse(name, args=[hers[one] for one in names]))
            assert answer.status_code in (200, 302, 404, 405), (name, answer.status_code)


def test_noise_in_an_address_or_a_form_is_answered(hers: dict[str, Any], ada: Person) -> None:
    """Each page is asked with other noise; together they meet all of it, several times over."""
    browser, noises = visiting(ada), cycle(NONSENSE)
    forms = ("pay", "pay_all", "move", "report", "hardship", "ask_hardship", "limit_instrument", "put_instrument")
    more = ("instrument", "offer", "parts", "every_days", "behaviour", "next", "sum", "order", "days", "currency")
    asked = ("cursor", "q", "month", "shelf", "changes", "decisions", "show", "next", "some", "order", "statement")
    with nothing_moves(*TRACES, "accounts_delivery"):
        for name, names in PAGES.items():
            right = reverse(name, args=[hers[one] for one in names])
            noise = next(noises)
            assert browser.get(right, dict.fromkeys(asked, noise)).status_code < 500, (name, noise)
            if names and not set(names) & set(NUMBERS):
                wrong = reverse(name, args=[noise.replace("/", "") for _one in names])
                assert browser.get(wrong).status_code in MISSING, (name, noise)
        for name in [*forms, *forms]:
            noise = next(noises)
            fields = dict.fromkeys((*filled(), *more), noise) | {"token": new_token()}
            answer = browser.post(reverse(name, args=[hers[one] for one in PAGES[name]]), fields)
            assert answer.status_code < 500, (name, noise)
            assert "<script>alert" not in answer.content.decode(), name


ELSEWHERE = ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)")


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_no_way_leads_to_another_site(elsewhere: str, ada: Person) -> None:
    browser = visiting(ada)
    for path in ("/language", "/instruments/wallet", "/account/logout/"):
        answer = browser.post(path, {"next": elsewhere, "language": "en"})
        assert answer.status_code == 302, path
        assert "evil" not in answer["Location"], path
        assert "script" not in answer["Location"], path
