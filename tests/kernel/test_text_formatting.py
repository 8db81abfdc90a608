"""Merchants' texts become links on our pages, and never contain HTML of their own."""

import pytest

from kernel.templatetags.formatting import format_ids, linkify_contact

ORDER = "ord_" + "0" * 32


@pytest.mark.parametrize("text", ["客服 400-800-1234", "客服400-800-1234", "电话：400-800-1234。", "📞400-800-1234📞"])
def test_a_phone_number_becomes_a_link(text: str) -> None:
    assert linkify_contact(text) == text.replace("400-800-1234", '<a href="tel:4008001234">400-800-1234</a>')


@pytest.mark.parametrize(
    "text", ["12345", "9" * 40, "SF1020304050607-x", "٤٠٠٨٠٠١٢٣٤", "a400-800-1234", "2026-11-20T12:00"]
)
def test_other_numbers_do_not_become_links(text: str) -> None:
    assert linkify_contact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        '<script>alert(1)</script> 400-800-1234 <img src=x onerror="alert(1)">',
        '"><svg/onload=alert(1)>+86 138 0013 8000',
        '400-800-1234"onmouseover="alert(1)',
        f"<b>{ORDER}</b>",
        "javascript:alert(1) https://a.example/?x=<script>",
    ],
)
def test_no_other_html_is_produced(text: str) -> None:
    for marked in (linkify_contact(text), format_ids(text)):
        ours = marked
        for tag in ("<a ", "</a>", '<code class="number">', "</code>"):
            ours = ours.replace(tag, "")
        assert "<" not in ours
        assert 'href="javascript' not in marked
        assert 'onmouseover="' not in marked


def test_a_long_text_is_processed_quickly() -> None:
    assert linkify_contact("1 " * 500_000).count("tel:") <= 500_000 // 8 + 1
    assert format_ids(f"{ORDER} " * 1_000).count("<code") == 1_000
