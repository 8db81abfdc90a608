"""Bad input in URLs and forms of the merchant console: refused or harmless, and nothing breaks."""

import pytest
from django.test import Client

from kernel.forms import new_form_token
from portal.rules import PAGES
from tests.nonsense import NONSENSE
from tests.portal.conftest import Company
from tests.portal.page_fixtures import page_fixtures_of
from tests.unchanged import assert_unchanged

ASKED = ("q", "cursor", "state", "service", "since", "until", "least", "most", "type", "next")
SENT = ("title", "name", "url", "description", "event_types", "scopes", "role", "email", "phone", "reason", "reference")
SENT += ("total", "amount", "ceiling", "currency", "mode", "days", "to", "behaviour", "service", "agreement", "since")


@pytest.mark.parametrize("value", NONSENSE, ids=ascii)
def test_bad_input_breaks_no_page(value: str, firm: Company) -> None:
    world, client = page_fixtures_of(firm, "test"), firm.browser("owner")
    third = sorted(PAGES)[NONSENSE.index(value) % 3 :: 3]  # each page is given four of the twelve
    with assert_unchanged("django_session"):
        for name in third:
            answer = client.get(world.url(name), dict.fromkeys(ASKED, value))
            assert answer.status_code in (200, 302, 404, 405, 422), (name, answer.status_code)
            assert b"<script>alert" not in b"".join(answer)
    for name in third:
        answer = client.post(world.url(name), {**dict.fromkeys(SENT, value), "token": new_form_token()})
        assert answer.status_code < 500, (name, answer.status_code)


def test_an_invalid_date_does_not_advance_the_clock(firm: Company) -> None:
    world, client = page_fixtures_of(firm, "test"), firm.browser("owner")
    with assert_unchanged("django_session"):
        for moment in ("0001-01-01T00:00", "9999-12-31T23:59", "2026-02-30T00:00", "9999-12-31T23:59+14:00", ""):
            assert client.post(world.url("advance_clock"), {"to": moment}).status_code in (302, 422), moment


def test_bad_input_breaks_no_sign_in_page(firm: Company) -> None:
    for value in NONSENSE:
        for page in ("sign-in/", "sign-in/code", f"invitation/{value}"):
            given = {"email": value, "password": value, "code": value}
            address = f"/merchant/{page.replace(chr(0), '%00')}"
            assert Client().post(address, given).status_code in (302, 404, 422, 429), (page, value)
