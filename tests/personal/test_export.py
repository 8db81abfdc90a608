"""A copy of my data: whole, made in steps that may be killed, fetched by nobody else, and gone after its time."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.apps import apps
from django.db import models
from django.test import Client

from accounts.models import Person, User
from kernel import background_files
from orders.models import Order
from personal import rules, tables
from personal.models import Export, ExportPiece
from personal.services import copying
from personal.services import export as exports
from tests.conftest import BY, Shop, opened, ordered, someone
from tests.personal.conftest import fresh
from tests.stillness import nothing_moves
from tests.visiting import visiting, words

NOW = datetime.now(UTC)  # noqa: TID251  copies live in real time
PAGE = "/settings/data/"
#: Columns that name a person, or what is a person's, without a foreign key.
NAMING = {"person_id", "debit_owner", "credit_owner", "order_id", "subject_id", "scope", "about", "concern_id"}


def made(person: Person) -> Export:
    asked = exports.ask_export(person.id, by=BY, at=NOW)
    copying.make_exports(at=NOW, seconds=60)
    return Export.objects.get(pk=asked.pk)


def opened_archive(person: Person, export: Export) -> dict[str, Any]:
    _row, pieces = exports.fetch_export(person.id, export.id, by=BY, at=NOW)
    body = b"".join(pieces)
    assert len(body) == rules.archive_size(export.packed)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        return {name: json.loads(archive.read(name)) for name in names if name.endswith(".json")} | {
            name: archive.read(name) for name in names if not name.endswith(".json")
        }


def leads_to_a_person(model: type[models.Model], seen: frozenset[Any] = frozenset()) -> bool:
    if model in (Person, User):
        return True
    fields = [*model._meta.concrete_fields]
    if any(isinstance(field, models.UUIDField) and field.name in NAMING for field in fields):
        return True
    targets = {field.related_model for field in fields if isinstance(field, models.ForeignKey)} - seen - {model}
    return any(leads_to_a_person(target, seen | {model}) for target in targets)


def copied(parts: tuple[Any, ...]) -> Iterator[Any]:
    for part in parts:
        yield part.model
        yield from copied(part.parts)


def test_every_table_that_leads_to_a_person_is_copied_or_left_out_for_a_reason() -> None:
    known = set(copied(tables.TABLES))
    found = {model for model in apps.get_models(include_auto_created=True) if leads_to_a_person(model)}
    assert {model._meta.label for model in found - known} == set(tables.LEFT_OUT)
    assert all(tables.LEFT_OUT.values())
    assert Order in found
    assert not leads_to_a_person(apps.get_model("kernel.Realm"))


def test_what_stands_sealed_in_a_copied_table_can_be_opened() -> None:
    sealed = {(model, name) for model in copied(tables.TABLES) for name in tables.sealed_in(model)}
    assert {(Person, "name"), (User, "phone")} <= sealed
    assert [(model, name) for model, name in sealed if not hasattr(model, f"reveal_{name}")] == []


def test_a_copy_holds_every_row_and_opens_what_is_sealed(lived: Order, ada: Person, saved: None) -> None:
    someone_else = someone(Shop(lived.merchant, lived.merchant, "", lived.service), name="博")
    ordered_by_bo = ordered(
        Shop(lived.merchant, lived.merchant, "", lived.service),
        opened(Shop(lived.merchant, lived.merchant, "", lived.service), someone_else),
    )
    export = made(ada)
    found = opened_archive(ada, export)
    assert set(found) == {*copying.FILES, "index.json", "README.txt", "summary.pdf"}
    assert found["summary.pdf"].startswith(b"%PDF-")
    assert found["person.json"][0]["name"] == "艾达"
    assert found["person.json"][0]["id"] == ada.public_id
    assert ada.user
    assert found["sign_in.json"][0]["phone"] == ada.user.reveal_phone()
    assert [row["id"] for row in found["orders.json"]] == [lived.public_id]
    assert [row["seq"] for row in found["order_history.json"]] == list(range(1, len(found["order_history.json"]) + 1))
    assert found["messages.json"][0]["text"] == "门卡住了，电话 13812341234"
    assert found["wallet_entries.json"][0]["amount_minor"] == 2000
    for name in ("obligations", "deductions", "deduction_lines", "refunds", "refund_parts", "postings", "notices"):
        assert found[f"{name}.json"], name
    assert found["index.json"]["rows"] == {n: len(found[n]) for n in copying.FILES}
    assert export.rows == sum(len(found[name]) for name in copying.FILES)
    everything = json.dumps(found, default=repr, ensure_ascii=False)
    assert ordered_by_bo.public_id not in everything
    assert ada.instruments.exclude(channel="wallet").get().token not in everything
    assert someone_else.public_id not in everything


def test_however_the_rows_fall_into_steps_each_is_copied_once(
    lived: Order, power_bank: Shop, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement = opened_again(power_bank, ada)
    for _ in range(6):
        ordered(power_bank, agreement)
    monkeypatch.setattr(copying, "ROWS_A_STEP", 7)
    whole = opened_archive(ada, made(ada))
    monkeypatch.setattr(copying, "ROWS_A_STEP", 1)
    Export.objects.update(asked_at=NOW - timedelta(days=2))
    single = opened_archive(ada, made(ada))
    assert len(whole["orders.json"]) == 7
    asked = {"exports.json", "account_history.json", "notices.json", "notice_deliveries.json"}
    for name in set(copying.FILES) - asked:
        assert sorted(map(str, single[name])) == sorted(map(str, whole[name])), name


def opened_again(shop: Shop, person: Person) -> Any:
    return person.agreements.get(service=shop.service)


def test_a_killed_worker_is_followed_by_one_that_goes_on(
    lived: Order, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = exports.ask_export(ada.id, by=BY, at=NOW)
    steps = iter(range(100))
    real = copying._copy  # noqa: SLF001  where it dies

    def dies_at_the_ninth(export: Export, table: tables.Table) -> None:
        real(export, table)
        if next(steps) == 9:
            raise KeyboardInterrupt

    monkeypatch.setattr(copying, "_copy", dies_at_the_ninth)
    with pytest.raises(KeyboardInterrupt):
        copying.make_exports(at=NOW, seconds=60)
    half = Export.objects.get(pk=asked.pk)
    assert 0 < half.step < len(tables.TABLES)
    assert copying.make_exports(at=NOW + timedelta(seconds=1), seconds=60) == 0  # it may still be at work
    copying.make_exports(at=NOW + background_files.LEASE, seconds=60)
    done = Export.objects.get(pk=asked.pk)
    assert done.made_at
    assert [row["id"] for row in opened_archive(ada, done)["orders.json"]] == [lived.public_id]


def test_a_worker_that_was_taken_for_lost_writes_nothing_more(lived: Order, ada: Person) -> None:
    exports.ask_export(ada.id, by=BY, at=NOW)
    slow = background_files.take(Export, at=NOW)
    quick = background_files.take(Export, at=NOW + background_files.LEASE)
    assert slow
    assert quick
    with nothing_moves():
        assert not background_files.step(Export, slow.id, pytest.fail, lease=slow.next_at)
    assert ExportPiece.objects.count() == 0


def test_one_that_always_fails_is_given_up_and_can_be_asked_for_again(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as broken:
        broken.setattr(copying, "_copy", fails)
        asked = exports.ask_export(ada.id, by=BY, at=NOW)
        for n in range(background_files.TRIES_MAX + 1):
            copying.make_exports(at=NOW + (n + 1) * background_files.LEASE, seconds=60)
    assert Export.objects.get(pk=asked.pk).failed_at
    assert "失败" in words(visiting(ada).get(PAGE))
    assert exports.ask_export(ada.id, by=BY, at=NOW).pk != asked.pk


def test_asked_again_it_is_the_same_and_a_day_later_another(ada: Person) -> None:
    client = visiting(ada)
    assert client.post(f"{PAGE}ask")["Location"] == PAGE
    client.post(f"{PAGE}ask")
    first = Export.objects.get()
    page = client.get(PAGE)
    assert page["Refresh"]
    assert "正在生成" in words(page)
    copying.make_exports(at=datetime.now(UTC), seconds=60)  # noqa: TID251
    with nothing_moves():
        client.post(f"{PAGE}ask")
    assert "可下载" in words(client.get(PAGE))
    Export.objects.update(asked_at=NOW - rules.EXPORT_APART)
    assert exports.ask_export(ada.id, by=BY, at=NOW).pk != first.pk


def test_the_archive_is_fetched_by_its_person_alone(lived: Order, ada: Person, power_bank: Shop) -> None:
    export = made(ada)
    stale = visiting(ada).get(f"{PAGE}{export.public_id}")["Location"]
    assert stale == f"/settings/confirm?next=%2Fsettings%2Fdata%2F{export.public_id}"
    answer = fresh(ada).get(f"{PAGE}{export.public_id}")
    assert answer["Content-Type"] == "application/zip"
    body = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert len(body) == int(answer["Content-Length"])
    assert zipfile.ZipFile(io.BytesIO(body)).testzip() is None
    assert answer["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    bo = fresh(someone(power_bank, name="博"))
    with nothing_moves():
        strange, missing = bo.get(f"{PAGE}{export.public_id}"), bo.get(f"{PAGE}exp_{'0' * 32}")
        assert (strange.status_code, strange.content) == (404, missing.content)
        assert Client().get(f"{PAGE}{export.public_id}").status_code == 302


def test_after_its_time_it_is_gone(lived: Order, ada: Person) -> None:
    export = made(ada)
    assert ExportPiece.objects.exists()
    later = NOW + rules.EXPORT_KEPT
    with pytest.raises(exports.ExportOver):
        exports.fetch_export(ada.id, export.id, by=BY, at=later)
    assert exports.empty_exports(at=later) == 1
    assert exports.empty_exports(at=later) == 0
    assert not ExportPiece.objects.exists()
    assert fresh(ada).get(f"{PAGE}{export.public_id}").status_code == 410
    assert "已删除" in words(visiting(ada).get(PAGE))


def test_what_lies_in_the_database_can_be_read_by_nobody(lived: Order, ada: Person) -> None:
    made(ada)
    for piece in ExportPiece.objects.all():
        assert bytes(piece.sealed).startswith(b"k1:")
        assert b"orders" not in bytes(piece.sealed)
    one, other = ExportPiece.objects.all()[:2]
    one.sealed = other.sealed
    with pytest.raises(InvalidTag):
        one.reveal()
