"""The operations console in a real browser: nothing it does is against the page's own policy."""

from collections.abc import Callable

from tests.browser.conftest import PageInspector, Scenario, take_screenshot


def test_a_colleague_looks_around(inspector_on: Callable[..., PageInspector], scenario: Scenario) -> None:
    inspector = inspector_on((1280, "zh-CN", "light"))
    inspector.sign_in_staff("viewer")
    for name, path in (
        ("index", "/ops/"),
        ("list", "/ops/orders/order/"),
        ("row", f"/ops/orders/order/{scenario.to_pay.pk}/change/"),
        ("people", "/ops/accounts/person/"),
    ):
        inspector.go(path)
        take_screenshot(inspector.page, f"50-console-{name}")
        assert inspector.problems == [], path
    inspector.page.locator("#searchbar").fill(scenario.ada.public_id)
    inspector.page.keyboard.press("Enter")
    inspector.page.wait_for_url("**?q=per_*")
    assert inspector.page.locator("#result_list tbody tr").count() == 1
