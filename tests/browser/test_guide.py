"""The developers' guide, looked at in every size and language, and copied from."""

import pytest

from bnpl.guide import chapter_url
from tests.browser.conftest import PageInspector

#: With the picture, with code and with the longest tables.
LOOKED_AT = ("index", "quickstart", "errors")
pytestmark = pytest.mark.django_db(transaction=True)


def test_the_guide_looks_well(inspector: PageInspector) -> None:
    for name in LOOKED_AT:
        inspector.go(chapter_url(name))
        inspector.check_page(f"guide-{name}")


def test_code_is_copied_by_its_button(inspector: PageInspector) -> None:
    inspector.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=inspector.base_url)
    inspector.go("/docs/quickstart")
    block = inspector.page.locator("figure.code").first
    block.locator("button").click()
    copied = inspector.page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == block.locator("code").inner_text().strip()
    assert block.locator("button").inner_text() in ("Copied", "已复制")
