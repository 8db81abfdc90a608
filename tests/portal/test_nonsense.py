"""Whatever is written into an address or a form of the console: it is refused or found harmless, and nothing breaks."""

import pytest
from django.test import Client

from kernel.forms import new_token
from portal.rules import PAGES
from tests.nonsense import NONSENSE
from tests.portal.conftest import Company
from tests.portal.world import world_of
from tests.stillness import nothing_moves

ASKED = ("q", "cursor", "state", "service", "since", "until", "least", "most", "type", "next")
SENT = ("title", "name", "url", "description", "event_types", "scopes", "role", "email", "phone", "reason", "reference")
SENT += ("total", "amount", "ceiling", "currency", "mode", "days", "to", "behaviour", "service", "agreement", "since")


@pytest.mark.parametrize("value", NONSENSE, ids=ascii)
def test_nonsense_breaks_no_page(value: str, firm: Company) -> None:
    world, client = world_of(firm, "test"), firm.browser("owner")
    third = sorted(PAGES)[NONSENSE.index(value) % 3 :: 3]  # each page is given four of the twelve
    with nothing_moves("django_session"):
        for name in third:
            answer = client.get(world.address(name), dict.fromkeys(ASKED, value))
            assert answer.status_code in (200, 302, 404, 405, 422), (name, answer.status_code)
            assert b"<script>alert" not in b"".join(answer)
    for name in third:
        answer = client.post(world.address(name), {**dict.fromkeys(SENT, value), "token": new_token()})
        assert answer.status_code < 500, (name, answer.status_code)


def test_a_moment_no_calendar_here_knows_moves_no_clock(firm: Company) -> None:
    world, client = world_of(firm, "test"), firm.browser("owner")
    with nothing_moves("django_session"):
        for moment in ("0001-01-01T00:00", "9999-12-31T23:59", "2026-02-30T00:00", "9999-12-31T23:59+14:00", ""):
            assert client.post(world.address("advance_clock"), {"to": moment}).status_code in (302, 422), moment


def test_nonsense_breaks_no_door_outside_either(firm: Company) -> None:
    for value in NONSENSE:
        for page in ("sign-in/", "sign-in/code", f"invitation/{value}"):
            given = {"email": value, "password": value, "code": value}
            address = f"/merchant/{page.replace(chr(0), '%00')}"
            assert Client().post(address, given).status_code in (302, 404, 422, 429), (page, value)
