"""API requests skip the middleware that only browsers need."""

import pytest
from django.test import Client
from django.utils import translation

from accounts import services as accounts
from accounts.models import Person
from bnpl.api_bypass import EMPTY_CSP
from tests.api import Api
from tests.browsing import signed_in_client
from tests.conftest import BY, NOON, Shop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["orders", "orders/ord_x", "nowhere", "openapi.json"])
def test_an_answer_to_a_program_is_nothing_to_a_browser(power_bank: Shop, path: str) -> None:
    api = Api(power_bank)
    api.client.cookies.load({"sessionid": "stolen", "csrftoken": "x" * 32})
    answer = api.get(path)
    assert answer["Content-Security-Policy"] == EMPTY_CSP
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_no_program_is_answered_in_the_language_of_whoever_was_before(power_bank: Shop, language: str) -> None:
    api = Api(power_bank)
    with translation.override(language):
        refused = api.post("orders", {"title": 1}, HTTP_ACCEPT_LANGUAGE=language)
        assert translation.get_language() == language
    refused_again = api.post("orders", {"title": 1}, HTTP_ACCEPT_LANGUAGE="fr")
    assert (refused.status_code, refused.json()["errors"]) == (422, refused_again.json()["errors"])


@pytest.mark.parametrize("path", ["/", "/V1/orders", "/v1", "/x/v1/orders"])
def test_what_only_looks_like_a_programs_address_is_a_page(path: str) -> None:
    page = Client().get(path)
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"


def test_whoever_is_signed_in_anywhere_opens_nothing_of_the_api_by_that(power_bank: Shop, ada: Person) -> None:
    api = Api(power_bank)
    people = [ada.user, accounts.create_staff("lin", "correct horse battery", roles=["supervisor"], by=BY, at=NOON)]
    for user in people:
        assert user
        browser = signed_in_client(user)
        for path in ("orders", "services", "webhook_endpoints"):
            assert browser.get(f"/v1/{path}").status_code == 401
    api.client.cookies.load({"sessionid": "\0🍪" * 500, "django_language": "<script>"})
    assert api.get("orders", HTTP_ACCEPT_LANGUAGE="zh;q=\0, 💬").status_code == 200
