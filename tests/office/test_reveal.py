"""Personal data is masked until somebody requests a part of it with a reason."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts import services as accounts
from accounts.models import Person
from kernel.models import LIVE, AuditLine
from tests.browsing import form_token
from tests.conftest import BY, NOON
from tests.console.conftest import page_text, submit_form

PHONE, NAME, NUMBER = "+8613812341234", "欧阳修远", "11010519491231002X"


@pytest.fixture
def person(db: None) -> Person:
    person = accounts.register_person(PHONE, realm_id=LIVE, by=BY, at=NOON)
    return accounts.verify_identity(person.id, NAME, NUMBER, by=BY, at=NOON)


def test_a_part_is_read_once_with_a_reason_and_nothing_else_of_it(
    person: Person, console_client: Callable[..., Client]
) -> None:
    support, path = console_client("support"), f"/ops/reveal/{person.public_id}"
    assert path in support.get(f"/ops/accounts/person/{person.pk}/change/").content.decode()
    for page in (
        support.get(path),
        submit_form(support, path, parts=["phone"], note=" "),
        submit_form(support, path, note="x"),
    ):
        for clear in ("13812341234", NAME, NUMBER):
            assert clear not in page.content.decode()
    form = {"token": form_token(support.get(path)), "parts": ["phone", "mail"], "note": "回电 <b>"}
    page = support.post(path, form)
    assert PHONE in page_text(page)
    assert NAME not in page_text(page)
    assert "no-store" in page["Cache-Control"]
    line = AuditLine.objects.get(act="revealed")
    assert (line.about, line.why, line.data) == (person.public_id, "回电 <b>", {"parts": ["phone", "mail"]})
    assert PHONE not in page_text(support.post(path, form))  # the same form once more shows nothing
    assert AuditLine.objects.filter(act="revealed").count() == 1


def test_who_may_not_read_it_is_not_shown_the_way(person: Person, console_client: Callable[..., Client]) -> None:
    for role in ("viewer", "finance", "auditor"):
        page = console_client(role).get(f"/ops/accounts/person/{person.pk}/change/").content.decode()
        assert "/ops/reveal/" not in page, role
    assert console_client("risk").get("/ops/reveal/per_" + "0" * 32).status_code == 404
