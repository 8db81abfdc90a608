"""One term for each concept, as in docs/glossary.md; terms it replaced must not come back."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from accounts.models import NoticeTemplate
from tests.architecture.test_translations import CATALOGUES, ROOT

#: Forbidden terms, and their replacements.
CHINESE = {
    "滞纳金": "逾期费",
    "接收地址": "Webhook 地址",
    "推送地址": "Webhook 地址",
    "端点": "Webhook 地址",
    "支付工具": "扣款方式",
    "应收款": "应付款",
    "准备金": "保证金",
    "商家后台": "商户后台",
    "控制台": "运营后台",
    "账本": "账簿",
    "优先退款": "先行退款",
    "催扣": "立即扣款",
    "守约分": "信用分",
    "停表": "暂停计时",
    "备用恢复码": "恢复码",
    "第二步验证": "两步验证",
    "待支付": "待付",
    "扣款未成功": "扣款失败",
    "重新推送": "补发",
    "渠道收回": "渠道退回",
    "授信决定": "风控决策",
    "账户安全": "账号安全",
    "待结清": "待付",
    "会演戏": "行为可设定",
    "虚构": "测试",
}
ENGLISH = {
    "stands still": "is paused",
    "second step": "two-step verification",
    "codes for emergencies": "recovery codes",
    "give back": "refund",
    "given back": "refunded",
    "taken back": "returned, disputed",
    "made-up": "test",
    "under way": "in progress",
    "by itself": "automatically",
    "put right": "corrected",
    "nobody knows": "not known yet",
    "mail address": "email address",
}
#: A Chinese sentence has Chinese punctuation, and a space on both sides of what is not Chinese.
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!()][\u4e00-\u9fff]|[「」]")
UNSPACED = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9%][\u4e00-\u9fff]")
SLOT = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
#: What is filled in here ends in a Chinese unit, such as 3 天.
SPAN = re.compile(r"%\((?:grace|age)\)s")


def catalogue_texts() -> dict[str, str]:
    """Every English sentence of the catalogues with its Chinese, for people: no names of columns."""
    found: dict[str, str] = {}
    for path in CATALOGUES:
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_Hans"):
                english = message.id if isinstance(message.id, str) else message.id[0]
                if message.context:
                    continue
                found[english] = message.string if isinstance(message.string, str) else message.string[0]
    return {english: chinese for english, chinese in found.items() if english}


def chapters(language: str) -> list[Path]:
    return sorted((ROOT / "docs/guide" / language).glob("*.md"))


def test_a_thing_has_one_name_in_chinese() -> None:
    wrong = [(word, text) for text in catalogue_texts().values() for word in CHINESE if word in text]
    assert wrong == []


def test_and_one_in_english() -> None:
    wrong = [(word, text) for text in catalogue_texts() for word in ENGLISH if re.search(rf"\b{word}", text.lower())]
    assert wrong == []


def test_chinese_is_punctuated_and_spaced_as_chinese_is() -> None:
    texts = [SLOT.sub("7", SPAN.sub("天", text)) for text in catalogue_texts().values()]
    assert [text for text in texts if HALF_WIDTH.search(text) or UNSPACED.search(text)] == []


@pytest.mark.django_db
def test_notices_keep_to_it_too() -> None:
    latest = {(row.key, row.language): row for row in NoticeTemplate.objects.order_by("version")}
    assert latest
    words, wrong = {"zh-hans": CHINESE, "en": ENGLISH}, []
    for (_key, language), row in latest.items():
        text = f"{row.subject} {row.body}"
        wrong += [
            (word, text)
            for word in words[language]
            if re.search(rf"\b{word}" if word.isascii() else word, text.lower())
        ]
        wrong += [("「」", text) for mark in "「」" if mark in text]
    assert wrong == []


@pytest.mark.parametrize("path", chapters("zh"), ids=lambda path: path.stem)
def test_and_so_does_the_guide(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert [word for word in (*CHINESE, "TA ", *(() if path.stem == "errors" else ("您",))) if word in text] == []
    assert HALF_WIDTH.findall(text) == []


def test_what_is_said_instead_stands_in_the_glossary() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    missing = [said for said in CHINESE.values() if said not in glossary and said not in ("测试", "待付", "行为可设定")]
    assert missing == []
