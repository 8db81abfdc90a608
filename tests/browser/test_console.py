"""The operations console in a real browser: nothing it does is against the page's own policy."""

from collections.abc import Callable

from tests.browser.conftest import Eye, Story, pictured


def test_a_colleague_looks_around(eye_with: Callable[..., Eye], story: Story) -> None:
    eye = eye_with((1280, "zh-CN", "light"))
    eye.sits_down("viewer")
    for name, path in (
        ("index", "/ops/"),
        ("list", "/ops/orders/order/"),
        ("row", f"/ops/orders/order/{story.to_pay.pk}/change/"),
        ("people", "/ops/accounts/person/"),
    ):
        eye.go(path)
        pictured(eye.page, f"50-console-{name}")
        assert eye.wrong == [], path
    eye.page.locator("#searchbar").fill(story.ada.public_id)
    eye.page.keyboard.press("Enter")
    eye.page.wait_for_url("**?q=per_*")
    assert eye.page.locator("#result_list tbody tr").count() == 1
