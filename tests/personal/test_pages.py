"""Pages for exports, erasure and proofs: constant queries, both languages, for people only."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from accounts.models import Person
from orders.models import Order
from personal.models import Export
from personal.services import export_builder, exports
from personal.services.proofs import issue_proof
from tests.browsing import client_for, signed_in_client, visible_text
from tests.conftest import BY

NOW = datetime.now(UTC)  # noqa: TID251  what is a person's own lives in real time
PAGES = ("/settings/data/", "/settings/proofs/", "/settings/leave/")


def questions(browser: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert browser.get(page).status_code == 200
    return len(asked)


def test_the_number_of_queries_is_constant(finished_order: Order, ada: Person) -> None:
    browser = client_for(ada)
    for n in range(3):
        if n == 1:
            few = [questions(browser, page) for page in PAGES]
        exports.request_export(ada.id, by=BY, at=NOW - timedelta(days=9 - n))
        export_builder.make_exports(at=NOW, seconds=60)
        issue_proof(ada.id, ["band"], 7, by=BY, at=NOW)
    assert Export.objects.count() == 3
    assert [questions(browser, page) for page in PAGES] == few


@pytest.mark.parametrize("page", PAGES)
def test_colleagues_have_no_such_page_and_settings_lead_to_each(page: str, ada: Person) -> None:
    lin = accounts.create_staff("lin", "correct horse battery", roles=["viewer"], by=BY, at=NOW)
    assert signed_in_client(lin).get(page).status_code == 403
    assert Client().get(page)["Location"].startswith("/account/login/")
    assert f'href="{page}"' in client_for(ada).get("/settings/").content.decode()
    chinese, english = (visible_text(client_for(ada, language).get(page)) for language in ("zh-CN", "en"))
    assert chinese != english


def test_what_changes_something_is_posted(ada: Person) -> None:
    browser = client_for(ada)
    for page in ("/settings/data/ask", "/settings/leave/stay", f"/settings/proofs/prf_{'0' * 32}/revoke"):
        assert browser.get(page).status_code == 405
    guarded = Client(enforce_csrf_checks=True)
    guarded.cookies = browser.cookies
    for page in ("/settings/data/ask", "/settings/leave/", "/settings/proofs/"):
        assert guarded.post(page).status_code == 403


def test_who_has_nothing_yet_is_told_so(db: None) -> None:
    new = accounts.register_person("+8613812345678", realm_id=1, by=BY, at=NOW)
    browser = client_for(new)
    assert "暂时还没有可证明的内容" in visible_text(browser.get("/settings/proofs/"))
    assert "生成副本" in visible_text(browser.get("/settings/data/"))
    assert "天后删除我的数据" in visible_text(browser.get("/settings/leave/"))
