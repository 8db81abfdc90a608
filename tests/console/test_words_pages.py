"""Notice templates: previewed and published as a new version."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import NoticeTemplate, User
from kernel.actor import Actor
from kernel.forms import new_form_token
from kernel.models import AuditLine
from tests.browsing import form_token, signed_in_client, visible_text
from tests.console.conftest import page_text, staff
from tests.unchanged import assert_unchanged

PAGE = "/ops/words/debit_failed/"
FORM = {
    "subject": "没扣成 {amount}",
    "body": "{merchant}「{what}」{reason}。{next}\r\n{link}",
    "note": "用词更清楚",
    "after": "2",
}


def send(client: Client, step: str, language: str = "zh-hans", **fields: Any) -> Any:
    return client.post(f"{PAGE}{language}", {"token": new_form_token(), **FORM, "step": step, **fields})


def versions() -> list[int]:
    return list(NoticeTemplate.objects.filter(key="debit_failed", language="zh-hans").values_list("version", flat=True))


def test_the_words_in_use_are_what_the_form_begins_with(supervisor: Client) -> None:
    latest = NoticeTemplate.objects.get(key="debit_failed", language="en", version=2)
    assert latest.subject in page_text(supervisor.get("/ops/words/"))
    assert f'value="{latest.subject}"' in supervisor.get(f"{PAGE}en").content.decode()


@pytest.mark.parametrize("role", ["supervisor", "support"])
def test_they_are_seen_as_they_would_read(role: str, console_client: Callable[..., Client]) -> None:
    client = console_client(role)
    client.get("/ops/words/")
    with assert_unchanged():
        page = send(client, "preview")
    assert "没扣成 ¥12.34" in page_text(page)
    assert "来电充电宝「充电宝 PB-7」余额不足。将于" in page_text(page)
    english = send(client, "preview", "en", subject="{amount} of {merchant}", body="{what}, {instrument}: {reason}.")
    assert "CN¥12.34 of Power Bank & Co Power bank PB-7, Merchants Bank ****1234: insufficient funds." in page_text(
        english
    )
    assert ('value="publish"' in page.content.decode()) == (role == "supervisor")


def test_a_supervisor_publishes_and_support_does_not(supervisor: Client, console_client: Callable[..., Client]) -> None:
    support = console_client("support")
    assert send(support, "publish").status_code == 403
    assert sorted(versions()) == [1, 2]
    assert send(supervisor, "publish")["Location"] == f"{PAGE}zh-hans"
    made = NoticeTemplate.objects.get(key="debit_failed", language="zh-hans", version=3)
    assert made.body == FORM["body"].replace("\r\n", "\n")
    assert made.by == str(Actor.staff(User.objects.get(username="supervisor").pk))
    assert "3 没扣成 {amount} 用词更清楚 supervisor" in page_text(supervisor.get(f"{PAGE}zh-hans"))


def test_why_is_asked_when_it_is_published_and_kept_with_the_version_and_in_the_audit(supervisor: Client) -> None:
    assert send(supervisor, "preview", note="").status_code == 200
    for wrong in ("", " ", "x" * 201):
        page = send(supervisor, "publish", note=wrong)
        assert page.status_code == 422
        assert 'id="id_note_error"' in page.content.decode()
    assert sorted(versions()) == [1, 2]
    send(supervisor, "publish", note=" 客诉较多 ")
    assert NoticeTemplate.objects.get(key="debit_failed", language="zh-hans", version=3).reason == "客诉较多"
    assert AuditLine.objects.get(act="publish_words").why == "客诉较多"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("subject", "", ""),
        ("subject", "x" * 101, ""),
        ("subject", "{secret}", "不是可用的占位符"),
        ("subject", "a\u202eb", "可显示"),
        ("body", "{", "不是可用的占位符"),
        ("body", "\x07", ""),
        ("body", "x" * 501, ""),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(supervisor: Client, field: str, value: str, words: str) -> None:
    for step in ("preview", "publish"):
        page = send(supervisor, step, **{field: value})
        assert page.status_code == 422
        beside = page.content.decode().partition(f'id="id_{field}_error"')[2].partition("</ul>")[0]
        assert beside
        assert words in beside
    assert sorted(versions()) == [1, 2]


def test_markup_in_the_words_stays_text(supervisor: Client) -> None:
    bad = "<script>alert(1)</script> {amount}"
    assert b"<script>alert" not in send(supervisor, "preview", subject=bad, body=bad).content
    send(supervisor, "publish", subject=bad, body=bad)
    for path in ("/ops/words/", f"{PAGE}zh-hans", "/ops/accounts/noticetemplate/"):
        assert b"<script>alert" not in supervisor.get(path).content


def test_two_clicks_publish_once(supervisor: Client) -> None:
    token = form_token(send(supervisor, "preview"))
    for _ in range(2):
        assert send(supervisor, "publish", token=token).status_code == 302
    assert sorted(versions()) == [1, 2, 3]
    assert "您已提交过" in visible_text(supervisor.get(f"{PAGE}zh-hans"))


def test_whoever_wrote_over_older_words_sees_the_newer_ones_first(
    supervisor: Client, console_client: Callable[..., Client]
) -> None:
    other = signed_in_client(staff("supervisor", name="zhao"))
    assert 'name="after" value="2"' in other.get(f"{PAGE}zh-hans").content.decode()
    assert send(supervisor, "publish").status_code == 302
    for after in ("2", "", "x", "4"):
        assert send(other, "publish", after=after, subject="未扣成功 {amount}").status_code == 422, after
    page = send(other, "publish", subject="未扣成功 {amount}")
    assert "期间已有人发布了新版本" in page_text(page)
    assert "没扣成 {amount}" in page_text(page).partition("文案版本")[0]
    assert sorted(versions()) == [1, 2, 3]
    assert 'name="after" value="3"' in page.content.decode()
    assert 'value="未扣成功 {amount}"' in page.content.decode()
    assert send(other, "publish", after="3", subject="未扣成功 {amount}").status_code == 302
    assert sorted(versions()) == [1, 2, 3, 4]
