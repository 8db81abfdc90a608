"""Erasure: not before everything is resolved, not without days to withdraw, and then completely; the ledger is kept."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import BinaryField

from accounts import services as accounts
from accounts.models import Notice, Person, User
from billing.models import Instrument, Return, Wallet
from billing.services.deduct import deduct_due
from billing.services.disputes import Chargeback, accept_dispute, record_chargeback
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.refunds import RefundDetails, refund_order
from billing.services.return_decisions import confirm_return
from billing.services.sandbox_people import scripted_people, scripts_of
from billing.services.wallets import top_up
from bnpl.invariants import find_violations
from credit.models import Agreement, Profile
from kernel.money import Money
from merchants.models import Event
from orders.models import Message, Obligation, Order
from orders.queries import orders_of
from personal import rules
from personal.models import Erasure, ExportPiece
from personal.services import erasures, export_builder, exports
from tests.billing.helpers import latest_deduction_of
from tests.billing.return_helpers import opened_return
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.db_errors import NO_RIGHT, RESTRICT, execute_sql, raises_db_error
from tests.personal.conftest import fresh
from tests.unchanged import assert_unchanged

NOW = datetime.now(UTC)  # noqa: TID251  days to take it back are real
THEN = NOW + rules.ERASURE_DELAY
PAGE, STAY = "/settings/leave/", "/settings/leave/stay"


@pytest.fixture
def over(finished_order: Order, ada: Person, power_bank: Shop) -> Order:
    """Everything of Ada's is paid, and nothing is open."""
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=2))
    return finished_order


def gone(person: Person) -> Person:
    erasures.request_erasure(person.id, by=BY, at=NOW)
    assert erasures.erase_due(at=THEN) == 1
    return Person.objects.get(pk=person.pk)


def kept_of(order: Order) -> Money:
    """What was paid with this order's money and is still kept."""
    return Money(sum(line.kept_minor for line in latest_deduction_of(order).lines.all()))


def test_what_is_owed_open_or_in_the_wallet_is_said_and_nothing_moves(
    power_bank: Shop, ada: Person, saved: None
) -> None:
    make_due_order(power_bank, ada, yuan("5"))
    client = fresh(ada)
    page = visible_text(client.get(PAGE))
    for said in ("未付清的款项", "未结束的订单", "钱包里还有余额"):
        assert said in page
    assert "天后删除我的数据" not in page
    with assert_unchanged():
        assert client.post(PAGE, {"understood": "yes"}).status_code == 409
        with pytest.raises(erasures.CannotLeaveYet):
            erasures.request_erasure(ada.id, by=BY, at=NOW)
    assert "Your wallet still has a balance" in visible_text(client_for(ada, "en").get(PAGE))


def test_an_erasure_is_requested_once_and_can_be_withdrawn(over: Order, ada: Person) -> None:
    stale = client_for(ada).post(PAGE, {"understood": "yes"})
    assert stale["Location"] == "/settings/confirm?next=%2Fsettings%2Fleave%2F"
    client = fresh(ada)
    with assert_unchanged():
        assert client.post(PAGE).status_code == 422
    assert client.post(PAGE, {"understood": "yes"})["Location"] == PAGE
    told = Notice.objects.get(stage="erasure_asked")
    assert "可随时撤回" in told.body
    assert set(told.deliveries.values_list("channel", flat=True)) >= {"inbox", "sms"}
    with assert_unchanged():
        client.post(PAGE, {"understood": "yes"})
    assert "您的数据将于" in visible_text(client.get(PAGE))
    assert "您的数据都还在" in visible_text(client.post(STAY, follow=True))
    with assert_unchanged("django_session"):
        client.post(STAY)
        assert erasures.erase_due(at=THEN + timedelta(days=9)) == 0
    client.post(PAGE, {"understood": "yes"})
    assert Erasure.objects.filter(withdrawn_at=None).count() == 1


def test_before_its_day_nothing_happens_and_what_is_opened_meanwhile_puts_it_off(
    over: Order, power_bank: Shop, ada: Person
) -> None:
    erasures.request_erasure(ada.id, by=BY, at=NOW)
    with assert_unchanged():
        assert erasures.erase_due(at=THEN - timedelta(seconds=1)) == 0
    make_order(power_bank, Agreement.objects.get(person=ada), at=NOON + timedelta(hours=3))
    erasures.erase_due(at=THEN)
    waits = Erasure.objects.get()
    assert (waits.hindered_by, waits.due_at - THEN) == (["orders"], erasures.ONE_DAY)
    assert Person.objects.get(pk=ada.pk).verified_at
    assert "以下事项了结后才会删除" in visible_text(client_for(ada).get(PAGE))


def test_trouble_with_one_is_put_off_and_keeps_nobody_waiting(
    power_bank: Shop, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, real = make_person(power_bank), erasures.erase_person
    for n, person in enumerate((ada, other)):
        erasures.request_erasure(person.id, by=BY, at=NOW + timedelta(seconds=n))

    def forgets(key: UUID, **how: Any) -> None:
        if key == ada.id:
            raise ZeroDivisionError
        real(key, **how)

    monkeypatch.setattr(erasures, "erase_person", forgets)
    for n in (1, 2):
        assert erasures.erase_due(at=THEN + timedelta(minutes=n), limit=1) == 1
    waits, done = Erasure.objects.get(person=ada), Erasure.objects.get(person=other)
    assert (waits.erased_at, waits.due_at) == (None, THEN + timedelta(minutes=1) + erasures.ONE_HOUR)
    assert done.erased_at == THEN + timedelta(minutes=2)


def test_afterwards_nothing_identifies_the_person_and_the_ledger_is_unchanged(over: Order, ada: Person) -> None:
    client, phone = client_for(ada), User.objects.get(pk=ada.user_id).reveal_phone()
    exports.request_export(ada.id, by=BY, at=NOW)
    export_builder.make_exports(at=NOW, seconds=60)
    assert Notice.objects.filter(person=ada).exclude(body="").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(amount_minor), count(*) FROM ledger_posting")
        book = cursor.fetchone()
    left = gone(ada)
    assert (left.reveal_name(), left.reveal_id_number(), left.phone_masked, left.verified_at) == (None, None, "", None)
    for row in (left, User.objects.get(pk=ada.user_id)):
        sealed = [field.attname for field in row._meta.concrete_fields if isinstance(field, BinaryField)]
        assert sealed
        assert [getattr(row, name) for name in sealed] == [None] * len(sealed)
    assert client.get("/settings/").status_code == 302
    assert User.objects.find_by_phone(str(phone)) is None
    assert not User.objects.get(pk=ada.user_id).is_active
    assert {row.state for row in Instrument.objects.filter(person=ada)} == {"removed"}
    assert not Notice.objects.filter(person=ada).exclude(body="", subject="").exists()
    assert not Message.objects.filter(person=ada).exclude(text="").exists()
    assert not ExportPiece.objects.exists()
    assert {row.state for row in Agreement.objects.filter(person=ada)} == {"terminated"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(amount_minor), count(*) FROM ledger_posting")
        assert cursor.fetchone() == book
    assert list(find_violations()) == []
    with assert_unchanged():
        assert erasures.erase_due(at=THEN + timedelta(days=1)) == 0
        assert erasures.execute_erasure(Erasure.objects.get().id, at=THEN + timedelta(days=1)) is False


def test_the_number_is_free_and_whoever_has_it_next_starts_from_nothing(over: Order, ada: Person) -> None:
    assert ada.user
    phone = str(ada.user.reveal_phone())
    gone(ada)
    new = accounts.register_person(phone, realm_id=ada.realm_id, by=BY, at=NOON)
    assert new.pk != ada.pk
    assert over.title not in visible_text(client_for(new).get("/orders/"))
    assert "尚未实名认证" in visible_text(client_for(new).get("/settings/"))


def test_the_merchant_still_gets_answers_and_may_still_give_money_back(
    over: Order, ada: Person, power_bank: Shop
) -> None:
    gone(ada)
    assert orders_of(power_bank.merchant.id).get(pk=over.pk).state == "deducted"
    refund, _new = refund_order(
        over.id, RefundDetails(amount_minor=100, reason="再退"), by=BY, at=NOON + timedelta(hours=5)
    )
    assert refund.state == "succeeded"
    assert not Notice.objects.filter(person=ada).exclude(body="").exists()
    assert scripts_of(scripted_people(power_bank.realm_id)) == []


def test_what_was_paid_from_a_wallet_goes_back_into_it_though_its_person_has_left(
    ada: Person, power_bank: Shop
) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    open_wallet(ada, at=NOON)
    top_up(ada.id, yuan("6"), "bank 1", at=NOON)
    pay_now(order.id, instrument_id=Instrument.objects.get(person=ada, channel="wallet").id, by=BY, at=NOON)
    gone(ada)
    refund, _new = refund_order(
        order.id, RefundDetails(amount_minor=600, reason="再退"), by=BY, at=NOON + timedelta(hours=5)
    )
    assert (refund.state, Wallet.objects.get(pk=ada.pk).balance_minor) == ("succeeded", 600)
    assert list(find_violations()) == []


def test_nothing_is_borrowed_in_the_name_of_who_has_left(over: Order, ada: Person, power_bank: Shop) -> None:
    gone(ada)
    assert Profile.objects.get(pk=ada.pk).frozen_at
    with pytest.raises(AssertionError):  # the assessment refuses
        make_agreement(power_bank, ada, at=NOON + timedelta(days=1))


def test_texts_can_only_be_emptied(over: Order, ada: Person) -> None:
    with assert_unchanged():
        for table, column in (("accounts_notice", "body"), ("accounts_notice", "subject"), ("orders_message", "text")):
            with raises_db_error(RESTRICT, "append_only"):
                execute_sql(f"UPDATE {table} SET {column} = 'other words'")  # noqa: S608
        for table, column in (("accounts_notice", "stage"), ("orders_message", "author")):
            with raises_db_error(NO_RIGHT):
                execute_sql(f"UPDATE {table} SET {column} = ''")  # noqa: S608


def test_of_what_a_merchant_was_told_only_the_words_of_a_return_go_and_all_of_them(over: Order, ada: Person) -> None:
    opened_return(over, 100)
    wrong = [
        ("type = 'order.opened'", {"reason": "***", "carrier": "***", "tracking_number": "***"}),
        ("type = 'return.opened'", {"reason": "***"}),
        ("type = 'return.opened'", {"reason": "x", "carrier": "***", "tracking_number": "***"}),
        ("type = 'return.opened'", {"amount": 1, "reason": "***", "carrier": "***", "tracking_number": "***"}),
    ]
    for which, words_then in wrong:
        with raises_db_error(RESTRICT, "append_only"):
            execute_sql(f"UPDATE merchants_event SET data = data || '{json.dumps(words_then)}' WHERE {which}")  # noqa: S608
    with raises_db_error(NO_RIGHT):
        execute_sql("UPDATE merchants_event SET type = 'order.opened' WHERE type = 'return.opened'")


@pytest.mark.parametrize(
    "model", [model for model in apps.get_models() if getattr(model, "erasable", ())], ids=lambda model: model.__name__
)
def test_of_a_row_whose_words_may_go_every_other_column_is_kept(model: Any) -> None:
    guard = next(trigger for trigger in model._meta.triggers if trigger.name == "append_only")  # type: ignore[attr-defined]
    columns = {field.column for field in model._meta.concrete_fields} - set(model.erasable)
    assert set(guard.operation.operations[0].columns) == columns


def test_an_undecided_return_blocks_erasure_and_its_details_are_erased(over: Order, ada: Person) -> None:
    row = opened_return(over, 100, number="SF-OF-ADA")
    assert "您有退货尚未处理完毕" in visible_text(fresh(ada).get(PAGE))
    with assert_unchanged("django_session"), pytest.raises(erasures.CannotLeaveYet):
        erasures.request_erasure(ada.id, by=BY, at=NOW)
    confirm_return(row.id, by=BY, at=NOON)
    gone(ada)
    row = Return.objects.get()
    assert (row.carrier, row.tracking_number, row.reason, row.amount_minor) == ("***", "***", "***", 100)
    told = Event.objects.filter(type__startswith="return.").order_by("sequence")
    assert [event.type for event in told] == ["return.opened", "return.advanced", "return.confirmed"]
    for event in told:
        assert {event.data[name] for name in ("carrier", "tracking_number", "reason")} == {"***"}
        assert (event.data["id"], event.data["amount"]) == (row.public_id, 100)
    assert list(find_violations()) == []


@pytest.mark.breaks_invariants  # the bank knows nothing of this return
def test_an_open_dispute_blocks_erasure(over: Order, ada: Person) -> None:
    dispute = record_chargeback(
        latest_deduction_of(over).id, Chargeback("x-1", kept_of(over), "not_authorised"), by=BY, at=NOON
    )
    assert "银行退回了您的一笔扣款" in visible_text(fresh(ada).get(PAGE))
    with assert_unchanged("django_session"), pytest.raises(erasures.CannotLeaveYet):
        erasures.request_erasure(ada.id, by=BY, at=NOW)
    assert dispute is not None
    accept_dispute(dispute.id, "merchant", "x", by=BY, at=NOON)
    gone(ada)
    assert Erasure.objects.get().erased_at == THEN


@pytest.mark.breaks_invariants  # the bank knows nothing of this return
def test_nothing_is_owed_again_by_somebody_who_has_left(over: Order, ada: Person) -> None:
    gone(ada)
    dispute = record_chargeback(
        latest_deduction_of(over).id, Chargeback("x-1", kept_of(over), "no_funds"), by=BY, at=NOON
    )
    assert dispute is not None
    assert (dispute.state, dispute.bearer) == ("lost", "platform")
    assert not Obligation.objects.filter(person=ada, state__in=Obligation.PAYABLE).exists()
    assert {wrong.name for wrong in find_violations()} <= {"deductions_match_the_bank", "disputes_match_the_bank"}
