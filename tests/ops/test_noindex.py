"""Search engines may index the guide and nothing else."""

import pytest
from django.test import Client

from accounts.models import Person
from tests.browsing import client_for


@pytest.mark.parametrize(
    "page", ["/account/login/", "/merchant/sign-in/", "/ops/login/", "/sign/x", "/nowhere", "/v1/orders"]
)
def test_pages_without_sign_in_are_not_indexed(page: str, db: None) -> None:
    assert Client().get(page)["X-Robots-Tag"] == "noindex"


def test_personal_pages_are_not_indexed(ada: Person) -> None:
    browser = client_for(ada)
    for page in ("/", "/orders/", "/settings/", "/inbox/"):
        assert browser.get(page)["X-Robots-Tag"] == "noindex", page


def test_the_guide_is_indexed(db: None) -> None:
    assert "X-Robots-Tag" not in Client().get("/docs/")
