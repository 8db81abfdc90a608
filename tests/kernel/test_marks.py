"""What merchants write about themselves becomes links on our pages: their text does, and never any HTML of theirs."""

import pytest

from kernel.templatetags.house import contact, numbered

ORDER = "ord_" + "0" * 32


@pytest.mark.parametrize("text", ["客服 400-800-1234", "客服400-800-1234", "电话：400-800-1234。", "📞400-800-1234📞"])
def test_a_telephone_number_can_be_called_whatever_stands_beside_it(text: str) -> None:
    assert contact(text) == text.replace("400-800-1234", '<a href="tel:4008001234">400-800-1234</a>')


@pytest.mark.parametrize(
    "text", ["12345", "9" * 40, "SF1020304050607-x", "٤٠٠٨٠٠١٢٣٤", "a400-800-1234", "2026-11-20T12:00"]
)
def test_what_is_no_telephone_number_is_called_by_nobody(text: str) -> None:
    assert contact(text) == text


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
def test_marks_are_all_the_html_there_is(text: str) -> None:
    for marked in (contact(text), numbered(text)):
        ours = marked
        for tag in ("<a ", "</a>", '<code class="number">', "</code>"):
            ours = ours.replace(tag, "")
        assert "<" not in ours
        assert 'href="javascript' not in marked
        assert 'onmouseover="' not in marked


def test_a_long_text_is_marked_in_one_go() -> None:
    assert contact("1 " * 500_000).count("tel:") <= 500_000 // 8 + 1
    assert numbered(f"{ORDER} " * 1_000).count("<code") == 1_000
