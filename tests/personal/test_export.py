"""Copies of personal data: complete, built in steps that may be killed, private, and deleted after their retention."""

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
from personal import export_tables, rules
from personal.models import Export, ExportPiece
from personal.services import export_builder, exports
from tests.browsing import client_for, visible_text
from tests.conftest import BY, Shop, make_agreement, make_order, make_person
from tests.personal.conftest import fresh
from tests.unchanged import assert_unchanged

NOW = datetime.now(UTC)  # noqa: TID251  copies live in real time
PAGE = "/settings/data/"
#: Columns that refer to a person, or to their data, without a foreign key.
NAMING = {"person_id", "debit_owner", "credit_owner", "order_id", "subject_id", "scope", "about", "concern_id"}


def made_export(person: Person) -> Export:
    asked = exports.request_export(person.id, by=BY, at=NOW)
    export_builder.make_exports(at=NOW, seconds=60)
    return Export.objects.get(pk=asked.pk)


def opened_archive(person: Person, export: Export) -> dict[str, Any]:
    _row, pieces = exports.fetch_export(person.id, export.id, by=BY, at=NOW)
    body = b"".join(pieces)
    assert len(body) == rules.zip_size(export.archive_files)
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


def copied(tables: tuple[Any, ...]) -> Iterator[Any]:
    for table in tables:
        yield table.model
        yield from copied(table.children)


def test_every_table_that_leads_to_a_person_is_copied_or_left_out_for_a_reason() -> None:
    known = set(copied(export_tables.TABLES))
    found = {model for model in apps.get_models(include_auto_created=True) if leads_to_a_person(model)}
    assert {model._meta.label for model in found - known} == set(export_tables.EXCLUDED)
    assert all(export_tables.EXCLUDED.values())
    assert Order in found
    assert not leads_to_a_person(apps.get_model("kernel.Realm"))


def test_what_stands_sealed_in_a_copied_table_can_be_opened() -> None:
    sealed = {(model, name) for model in copied(export_tables.TABLES) for name in export_tables.sealed_fields_of(model)}
    assert {(Person, "name"), (User, "phone")} <= sealed
    assert [(model, name) for model, name in sealed if not hasattr(model, f"reveal_{name}")] == []


def test_a_copy_holds_every_row_and_opens_what_is_sealed(finished_order: Order, ada: Person, saved: None) -> None:
    someone_else = make_person(
        Shop(finished_order.merchant, finished_order.merchant, "", finished_order.service), name="博"
    )
    ordered_by_bo = make_order(
        Shop(finished_order.merchant, finished_order.merchant, "", finished_order.service),
        make_agreement(
            Shop(finished_order.merchant, finished_order.merchant, "", finished_order.service), someone_else
        ),
    )
    export = made_export(ada)
    found = opened_archive(ada, export)
    assert set(found) == {*export_builder.FILES, "index.json", "README.txt", "summary.pdf"}
    assert found["summary.pdf"].startswith(b"%PDF-")
    assert found["person.json"][0]["name"] == "艾达"
    assert found["person.json"][0]["id"] == ada.public_id
    assert ada.user
    assert found["sign_in.json"][0]["phone"] == ada.user.reveal_phone()
    assert [row["id"] for row in found["orders.json"]] == [finished_order.public_id]
    assert [row["seq"] for row in found["order_history.json"]] == list(range(1, len(found["order_history.json"]) + 1))
    assert found["messages.json"][0]["text"] == "门卡住了，电话 13812341234"
    assert found["wallet_entries.json"][0]["amount_minor"] == 2000
    for name in ("obligations", "deductions", "deduction_lines", "refunds", "refund_parts", "postings", "notices"):
        assert found[f"{name}.json"], name
    assert found["index.json"]["rows"] == {n: len(found[n]) for n in export_builder.FILES}
    assert export.rows == sum(len(found[name]) for name in export_builder.FILES)
    everything = json.dumps(found, default=repr, ensure_ascii=False)
    assert ordered_by_bo.public_id not in everything
    assert ada.instruments.exclude(channel="wallet").get().token not in everything
    assert someone_else.public_id not in everything


def test_however_the_rows_fall_into_steps_each_is_copied_once(
    finished_order: Order, power_bank: Shop, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement = opened_again(power_bank, ada)
    for _ in range(6):
        make_order(power_bank, agreement)
    monkeypatch.setattr(export_builder, "ROWS_A_STEP", 7)
    whole = opened_archive(ada, made_export(ada))
    monkeypatch.setattr(export_builder, "ROWS_A_STEP", 1)
    Export.objects.update(asked_at=NOW - timedelta(days=2))
    single = opened_archive(ada, made_export(ada))
    assert len(whole["orders.json"]) == 7
    asked = {"exports.json", "account_history.json", "notices.json", "notice_deliveries.json"}
    for name in set(export_builder.FILES) - asked:
        assert sorted(map(str, single[name])) == sorted(map(str, whole[name])), name


def opened_again(shop: Shop, person: Person) -> Any:
    return person.agreements.get(service=shop.service)


def test_another_worker_continues_after_a_killed_one(
    finished_order: Order, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = exports.request_export(ada.id, by=BY, at=NOW)
    steps = iter(range(100))
    real = export_builder._copy_table  # noqa: SLF001  where it dies

    def dies_at_the_ninth(export: Export, table: export_tables.Table) -> None:
        real(export, table)
        if next(steps) == 9:
            raise KeyboardInterrupt

    monkeypatch.setattr(export_builder, "_copy_table", dies_at_the_ninth)
    with pytest.raises(KeyboardInterrupt):
        export_builder.make_exports(at=NOW, seconds=60)
    half = Export.objects.get(pk=asked.pk)
    assert 0 < half.step < len(export_tables.TABLES)
    assert export_builder.make_exports(at=NOW + timedelta(seconds=1), seconds=60) == 0  # it may still be at work
    export_builder.make_exports(at=NOW + background_files.LEASE, seconds=60)
    done = Export.objects.get(pk=asked.pk)
    assert done.made_at
    assert [row["id"] for row in opened_archive(ada, done)["orders.json"]] == [finished_order.public_id]


def test_a_worker_whose_lease_expired_writes_nothing_more(finished_order: Order, ada: Person) -> None:
    exports.request_export(ada.id, by=BY, at=NOW)
    slow = background_files.claim_file(Export, at=NOW)
    quick = background_files.claim_file(Export, at=NOW + background_files.LEASE)
    assert slow
    assert quick
    with assert_unchanged():
        assert not background_files.run_step(Export, slow.id, pytest.fail, lease=slow.next_at)
    assert ExportPiece.objects.count() == 0


def test_one_that_always_fails_is_given_up_and_can_be_asked_for_again(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as broken:
        broken.setattr(export_builder, "_copy_table", fails)
        asked = exports.request_export(ada.id, by=BY, at=NOW)
        for n in range(background_files.TRIES_MAX + 1):
            export_builder.make_exports(at=NOW + (n + 1) * background_files.LEASE, seconds=60)
    assert Export.objects.get(pk=asked.pk).failed_at
    assert "失败" in visible_text(client_for(ada).get(PAGE))
    assert exports.request_export(ada.id, by=BY, at=NOW).pk != asked.pk


def test_asked_again_it_is_the_same_and_a_day_later_another(ada: Person) -> None:
    client = client_for(ada)
    assert client.post(f"{PAGE}ask")["Location"] == PAGE
    client.post(f"{PAGE}ask")
    first = Export.objects.get()
    page = client.get(PAGE)
    assert page["Refresh"]
    assert "正在生成" in visible_text(page)
    export_builder.make_exports(at=datetime.now(UTC), seconds=60)  # noqa: TID251
    with assert_unchanged():
        client.post(f"{PAGE}ask")
    assert "可下载" in visible_text(client.get(PAGE))
    Export.objects.update(asked_at=NOW - rules.EXPORT_INTERVAL)
    assert exports.request_export(ada.id, by=BY, at=NOW).pk != first.pk


def test_the_archive_is_fetched_by_its_person_alone(finished_order: Order, ada: Person, power_bank: Shop) -> None:
    export = made_export(ada)
    stale = client_for(ada).get(f"{PAGE}{export.public_id}")["Location"]
    assert stale == f"/settings/confirm?next=%2Fsettings%2Fdata%2F{export.public_id}"
    answer = fresh(ada).get(f"{PAGE}{export.public_id}")
    assert answer["Content-Type"] == "application/zip"
    body = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert len(body) == int(answer["Content-Length"])
    assert zipfile.ZipFile(io.BytesIO(body)).testzip() is None
    assert answer["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    bo = fresh(make_person(power_bank, name="博"))
    with assert_unchanged():
        strange, missing = bo.get(f"{PAGE}{export.public_id}"), bo.get(f"{PAGE}exp_{'0' * 32}")
        assert (strange.status_code, strange.content) == (404, missing.content)
        assert Client().get(f"{PAGE}{export.public_id}").status_code == 302


def test_after_its_time_it_is_gone(finished_order: Order, ada: Person) -> None:
    export = made_export(ada)
    assert ExportPiece.objects.exists()
    later = NOW + rules.EXPORT_RETENTION
    with pytest.raises(exports.ExportExpired):
        exports.fetch_export(ada.id, export.id, by=BY, at=later)
    assert exports.prune_exports(at=later) == 1
    assert exports.prune_exports(at=later) == 0
    assert not ExportPiece.objects.exists()
    assert fresh(ada).get(f"{PAGE}{export.public_id}").status_code == 410
    assert "已删除" in visible_text(client_for(ada).get(PAGE))


def test_stored_pieces_are_encrypted(finished_order: Order, ada: Person) -> None:
    made_export(ada)
    for piece in ExportPiece.objects.all():
        assert bytes(piece.sealed).startswith(b"k1:")
        assert b"orders" not in bytes(piece.sealed)
    one, other = ExportPiece.objects.all()[:2]
    one.sealed = other.sealed
    with pytest.raises(InvalidTag):
        one.get_content()
