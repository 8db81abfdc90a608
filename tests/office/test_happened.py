"""Every line of every life's history is told in words, in both languages, wherever the console shows it."""

import ast
import re
from collections.abc import Callable, Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.utils.translation import override

from kernel.admin_site import HistoryAdmin
from kernel.naming import HAPPENED
from office.happened import LIVES
from orders.models import OrderEvent
from tests.architecture import HOUSE
from tests.architecture.test_translations import ROOT
from tests.conftest import Shop
from tests.console.conftest import words_of
from tests.office.lives import lived

CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Lines of something else than a life: the audit's, and a merchant's own log.
NOT_LIVES = {"audit", "record"}


def recorded() -> Iterator[str]:
    """Each kind of line that is written anywhere."""
    for path in sorted(path for app in HOUSE for path in (ROOT / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="record", value=holder), args=[kind, *_]):
                    if ast.unparse(holder) not in NOT_LIVES:
                        yield from written_out(kind)
                case ast.Call(func=ast.Name("record_all"), args=[_rows, kind, *_]):
                    yield from written_out(kind)


def written_out(kind: ast.expr) -> Iterator[str]:
    branches = [kind.body, kind.orelse] if isinstance(kind, ast.IfExp) else [kind]
    yield from (one.value for one in branches if isinstance(one, ast.Constant) and isinstance(one.value, str))


def test_every_table_of_lines_has_its_words() -> None:
    shown = {model for model, page in admin.site._registry.items() if isinstance(page, HistoryAdmin)}  # noqa: SLF001
    assert shown == set(LIVES) == set(HAPPENED)


def test_every_kind_that_is_written_has_words() -> None:
    kinds = set(recorded())
    assert {"opened", "reason_heard", "case_closed", "part_returned", "waits_for_account"} <= kinds
    assert kinds - {kind for words in LIVES.values() for kind in words} == set()


def test_the_words_are_words_in_both_languages() -> None:
    for model, words in LIVES.items():
        for kind, said in words.items():
            with override("zh-hans"):
                assert CHINESE.search(str(said)), (model, kind)
            with override("en"):
                assert not CHINESE.search(str(said)), (model, kind)


def test_no_line_of_a_whole_life_is_a_code(power_bank: Shop) -> None:
    lived(power_bank, 1)
    untold = {
        (model.__name__, kind)
        for model, words in LIVES.items()
        for kind in model._default_manager.values_list("kind", flat=True)  # type: ignore[attr-defined]
        if kind not in words
    }
    assert untold == set()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_list_and_a_line_say_it(power_bank: Shop, at_desk: Callable[..., Client], language: str) -> None:
    lived(power_bank, 1)
    desk = at_desk("viewer", language=language)
    said = {"zh-CN": "订单已创建，并占用最高额度", "en": "Order opened; ceiling held against the credit limit"}[
        language
    ]
    listed = words_of(desk.get("/ops/orders/orderevent/"))
    assert said in listed
    line = OrderEvent.objects.filter(kind="opened").earliest("id")
    assert said in words_of(desk.get(f"/ops/orders/orderevent/{line.pk}/change/"))
    for model in LIVES:
        meta = model._meta  # type: ignore[attr-defined]
        assert desk.get(f"/ops/{meta.app_label}/{meta.model_name}/").status_code == 200
