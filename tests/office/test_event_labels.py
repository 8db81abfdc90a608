"""Every history event has a label in both languages wherever the console shows it."""

import ast
import re
from collections.abc import Callable, Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.utils.translation import override

from kernel.admin_site import HistoryAdmin
from kernel.labels import HISTORY_LABELS
from office.event_labels import LABELS_BY_EVENT
from orders.models import OrderEvent
from tests.architecture import OWN_APPS
from tests.architecture.test_translations import ROOT
from tests.conftest import Shop
from tests.console.conftest import page_text
from tests.office.person_history import person_with_history

CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Lines of something else than a life: the audit's, and a merchant's own log.
NOT_LIVES = {"audit", "record"}


def recorded() -> Iterator[str]:
    """Each kind of line that is written anywhere."""
    for path in sorted(path for app in OWN_APPS for path in (ROOT / app).rglob("*.py")):
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


def test_every_event_table_has_labels() -> None:
    shown = {model for model, page in admin.site._registry.items() if isinstance(page, HistoryAdmin)}  # noqa: SLF001
    assert shown == set(LABELS_BY_EVENT) == set(HISTORY_LABELS)


def test_every_event_kind_has_a_label() -> None:
    kinds = set(recorded())
    assert {"opened", "reason_heard", "case_closed", "part_returned", "waits_for_account"} <= kinds
    assert kinds - {kind for words in LABELS_BY_EVENT.values() for kind in words} == set()


def test_labels_exist_in_both_languages() -> None:
    for model, words in LABELS_BY_EVENT.items():
        for kind, said in words.items():
            with override("zh-hans"):
                assert CHINESE.search(str(said)), (model, kind)
            with override("en"):
                assert not CHINESE.search(str(said)), (model, kind)


def test_a_whole_lifecycle_shows_no_raw_codes(power_bank: Shop) -> None:
    person_with_history(power_bank, 1)
    untold = {
        (model.__name__, kind)
        for model, words in LABELS_BY_EVENT.items()
        for kind in model._default_manager.values_list("kind", flat=True)  # type: ignore[attr-defined]
        if kind not in words
    }
    assert untold == set()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_lists_and_rows_show_the_labels(power_bank: Shop, console_client: Callable[..., Client], language: str) -> None:
    person_with_history(power_bank, 1)
    desk = console_client("viewer", language=language)
    said = {"zh-CN": "订单已创建，并占用最高额度", "en": "Order opened; ceiling held against the credit limit"}[
        language
    ]
    listed = page_text(desk.get("/ops/orders/orderevent/"))
    assert said in listed
    line = OrderEvent.objects.filter(kind="opened").earliest("id")
    assert said in page_text(desk.get(f"/ops/orders/orderevent/{line.pk}/change/"))
    for model in LABELS_BY_EVENT:
        meta = model._meta  # type: ignore[attr-defined]
        assert desk.get(f"/ops/{meta.app_label}/{meta.model_name}/").status_code == 200
