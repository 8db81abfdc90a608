"""The pages of what is a person's own: as many questions whatever there is, in both languages, for people alone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from accounts.models import Person
from orders.models import Order
from personal.models import Export
from personal.services import copying
from personal.services import export as exports
from personal.services.proof import issue_proof
from tests.conftest import BY
from tests.visiting import signed_in, visiting, words

NOW = datetime.now(UTC)  # noqa: TID251  what is a person's own lives in real time
PAGES = ("/settings/data/", "/settings/proofs/", "/settings/leave/")


def questions(browser: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert browser.get(page).status_code == 200
    return len(asked)


def test_a_page_asks_as_much_of_much_as_of_little(lived: Order, ada: Person) -> None:
    browser = visiting(ada)
    for n in range(3):
        if n == 1:
            few = [questions(browser, page) for page in PAGES]
        exports.ask_export(ada.id, by=BY, at=NOW - timedelta(days=9 - n))
        copying.make_exports(at=NOW, seconds=60)
        issue_proof(ada.id, ["band"], 7, by=BY, at=NOW)
    assert Export.objects.count() == 3
    assert [questions(browser, page) for page in PAGES] == few


@pytest.mark.parametrize("page", PAGES)
def test_colleagues_have_no_such_page_and_settings_lead_to_each(page: str, ada: Person) -> None:
    lin = accounts.create_staff("lin", "correct horse battery", roles=["viewer"], by=BY, at=NOW)
    assert signed_in(lin).get(page).status_code == 403
    assert Client().get(page)["Location"].startswith("/account/login/")
    assert f'href="{page}"' in visiting(ada).get("/settings/").content.decode()
    chinese, english = (words(visiting(ada, language).get(page)) for language in ("zh-CN", "en"))
    assert chinese != english


def test_what_changes_something_is_posted(ada: Person) -> None:
    browser = visiting(ada)
    for page in ("/settings/data/ask", "/settings/leave/stay", f"/settings/proofs/prf_{'0' * 32}/revoke"):
        assert browser.get(page).status_code == 405
    guarded = Client(enforce_csrf_checks=True)
    guarded.cookies = browser.cookies
    for page in ("/settings/data/ask", "/settings/leave/", "/settings/proofs/"):
        assert guarded.post(page).status_code == 403


def test_who_has_nothing_yet_is_told_so(db: None) -> None:
    new = accounts.register_person("+8613812345678", realm_id=1, by=BY, at=NOW)
    browser = visiting(new)
    assert "暂时还没有可证明的内容" in words(browser.get("/settings/proofs/"))
    assert "生成副本" in words(browser.get("/settings/data/"))
    assert "天后删除我的数据" in words(browser.get("/settings/leave/"))
