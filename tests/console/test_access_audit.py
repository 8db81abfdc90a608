"""Opening a row with personal data is audited, whichever table it is in."""

import pytest
from django.contrib import admin
from django.test import Client

from accounts.models import LocalMessage, Notice, Person, User
from billing.models import Deduction, Instrument
from billing.services.deduct import deduct_due
from kernel.models import AuditLine
from office.models import HandlingNote
from office.queues import QUEUES
from office.services import assignments
from orders import services as orders
from orders.models import Concern, Message
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

OPENED = (Person, Notice, Concern, Message, Instrument, HandlingNote)


def test_whoever_opens_one_is_written_down(power_bank: Shop, supervisor: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("8"))
    concern = orders.report_problem(order.id, "other", "x", by=BY, at=NOON)
    assignments.add_note(QUEUES["problem"], concern.id, "来电", by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    orders.add_message(concern.id, "请问几点归还？", author="staff", by=BY, at=NOON)
    for model in OPENED:
        row, meta = model._default_manager.first(), model._meta
        assert row, meta.label
        assert supervisor.get(f"/ops/{meta.app_label}/{meta.model_name}/{row.pk}/change/").status_code == 200
        line = AuditLine.objects.latest("id")
        assert (line.act, line.about) == (f"viewed.{meta.model_name}", row.public_id)


@pytest.mark.parametrize("model", [*OPENED, LocalMessage])
def test_their_tables_say_so(model: type) -> None:
    assert admin.site._registry[model].is_personal_data  # type: ignore[attr-defined]  # noqa: SLF001


def test_pages_that_show_one_write_it_down(power_bank: Shop, supervisor: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("8"))
    deduct_due(power_bank.realm_id, at=NOON)
    concern = orders.report_problem(order.id, "other", "手机 13800001111", by=BY, at=NOON)
    deduction = Deduction.objects.latest("pk")
    paths = {
        "concern": (f"/ops/help/{concern.public_id}", concern),
        "queue_item": (f"/ops/queues/problem/{concern.public_id}", concern),
        "order": (f"/ops/order/{order.public_id}", order),
        "agreement": (f"/ops/agreement/{order.agreement.public_id}", order.agreement),
        "deduction": (f"/ops/deduction/{deduction.public_id}", deduction),
    }
    for name, (path, row) in paths.items():
        assert supervisor.get(path).status_code == 200, path
        line = AuditLine.objects.latest("id")
        assert (line.act, line.about, line.why) == (f"viewed.{name}", row.public_id, "")


def test_the_log_is_searched_by_person_and_by_act(power_bank: Shop, supervisor: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("8"))
    supervisor.get(f"/ops/order/{order.public_id}")
    me = User.objects.get(username="supervisor").public_id
    for text in ("supervisor", me, f"staff:{me}", "viewed.order", order.public_id):
        page = supervisor.get("/ops/kernel/auditline/", {"q": text}).content.decode()
        assert "viewed.order" in page.partition("<tbody>")[2], text
    assert "<tbody>" not in supervisor.get("/ops/kernel/auditline/", {"q": "nobody"}).content.decode()
