"""Search engines keep the guide, and nothing else."""

import pytest
from django.test import Client

from accounts.models import Person
from tests.visiting import visiting


@pytest.mark.parametrize(
    "page", ["/account/login/", "/merchant/sign-in/", "/ops/login/", "/sign/x", "/nowhere", "/v1/orders"]
)
def test_a_strangers_page_is_kept_by_nobody(page: str, db: None) -> None:
    assert Client().get(page)["X-Robots-Tag"] == "noindex"


def test_a_persons_page_is_kept_by_nobody(ada: Person) -> None:
    browser = visiting(ada)
    for page in ("/", "/orders/", "/settings/", "/inbox/"):
        assert browser.get(page)["X-Robots-Tag"] == "noindex", page


def test_the_guide_is_for_everybody(db: None) -> None:
    assert "X-Robots-Tag" not in Client().get("/docs/")
