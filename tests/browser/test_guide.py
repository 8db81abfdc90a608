"""The developers' guide, looked at in every size and language, and copied from."""

import pytest

from bnpl.guide import address_of
from tests.browser.conftest import Eye

#: With the picture, with code and with the longest tables.
LOOKED_AT = ("index", "quickstart", "errors")
pytestmark = pytest.mark.django_db(transaction=True)


def test_the_guide_looks_well(eye: Eye) -> None:
    for name in LOOKED_AT:
        eye.go(address_of(name))
        eye.sees(f"guide-{name}")


def test_code_is_copied_by_its_button(eye: Eye) -> None:
    eye.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=eye.home)
    eye.go("/docs/quickstart")
    block = eye.page.locator("figure.code").first
    block.locator("button").click()
    copied = eye.page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == block.locator("code").inner_text().strip()
    assert block.locator("button").inner_text() in ("Copied", "已复制")
