"""To be forgotten: not before everything is over, not without days to take it back, and then wholly; the book stays."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import BinaryField

from accounts import services as accounts
from accounts.models import Notice, Person, User
from billing.models import Instrument, Return, Wallet
from billing.services.deduct import deduct_due
from billing.services.disputes import Withdrawal, accept_dispute, take_back
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.people import people_of, scripts_of
from billing.services.refund import Asked, refund_order
from billing.services.return_ends import confirm_return
from billing.services.wallets import top_up
from bnpl.invariants import violations
from credit.models import Agreement, Profile
from kernel.money import Money
from merchants.models import Event
from office.models import HandlingNote
from orders.models import Message, Obligation, Order
from orders.queries import orders_of
from personal import rules
from personal.models import Erasure, ExportPiece
from personal.services import copying, erase
from personal.services import export as exports
from tests.billing.bench import deduction_of
from tests.billing.returning import sent_back
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan
from tests.guards import NO_RIGHT, RESTRICT, refused_by, run
from tests.personal.conftest import fresh
from tests.stillness import nothing_moves
from tests.visiting import visiting, words

NOW = datetime.now(UTC)  # noqa: TID251  days to take it back are real
THEN = NOW + rules.ERASURE_WAITS
PAGE, STAY = "/settings/leave/", "/settings/leave/stay"


@pytest.fixture
def over(lived: Order, ada: Person, power_bank: Shop) -> Order:
    """Everything of Ada's is paid, and nothing is open."""
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=2))
    return lived


def gone(person: Person) -> Person:
    erase.ask_erasure(person.id, by=BY, at=NOW)
    assert erase.erase_due(at=THEN) == 1
    return Person.objects.get(pk=person.pk)


def kept_of(order: Order) -> Money:
    """What was taken with this order's money, and is still here."""
    return Money(sum(line.kept_minor for line in deduction_of(order).lines.all()))


def test_what_is_owed_open_or_in_the_wallet_is_said_and_nothing_moves(
    power_bank: Shop, ada: Person, saved: None
) -> None:
    completed(power_bank, ada, yuan("5"))
    client = fresh(ada)
    page = words(client.get(PAGE))
    for said in ("未付清的款项", "未结束的订单", "钱包里还有余额"):
        assert said in page
    assert "天后删除我的数据" not in page
    with nothing_moves():
        assert client.post(PAGE, {"understood": "yes"}).status_code == 409
        with pytest.raises(erase.CannotLeaveYet):
            erase.ask_erasure(ada.id, by=BY, at=NOW)
    assert "Your wallet still has a balance" in words(visiting(ada, "en").get(PAGE))


def test_it_is_asked_once_with_understanding_and_can_be_taken_back(over: Order, ada: Person) -> None:
    stale = visiting(ada).post(PAGE, {"understood": "yes"})
    assert stale["Location"] == "/settings/confirm?next=%2Fsettings%2Fleave%2F"
    client = fresh(ada)
    with nothing_moves():
        assert client.post(PAGE).status_code == 422
    assert client.post(PAGE, {"understood": "yes"})["Location"] == PAGE
    told = Notice.objects.get(stage="erasure_asked")
    assert "可随时撤回" in told.body
    assert set(told.deliveries.values_list("channel", flat=True)) >= {"inbox", "sms"}
    with nothing_moves():
        client.post(PAGE, {"understood": "yes"})
    assert "您的数据将于" in words(client.get(PAGE))
    assert "您的数据都还在" in words(client.post(STAY, follow=True))
    with nothing_moves("django_session"):
        client.post(STAY)
        assert erase.erase_due(at=THEN + timedelta(days=9)) == 0
    client.post(PAGE, {"understood": "yes"})
    assert Erasure.objects.filter(withdrawn_at=None).count() == 1


def test_before_its_day_nothing_happens_and_what_is_opened_meanwhile_puts_it_off(
    over: Order, power_bank: Shop, ada: Person
) -> None:
    erase.ask_erasure(ada.id, by=BY, at=NOW)
    with nothing_moves():
        assert erase.erase_due(at=THEN - timedelta(seconds=1)) == 0
    ordered(power_bank, Agreement.objects.get(person=ada), at=NOON + timedelta(hours=3))
    erase.erase_due(at=THEN)
    waits = Erasure.objects.get()
    assert (waits.hindered_by, waits.due_at - THEN) == (["orders"], erase.A_DAY)
    assert Person.objects.get(pk=ada.pk).verified_at
    assert "以下事项了结后才会删除" in words(visiting(ada).get(PAGE))


def test_trouble_with_one_is_put_off_and_keeps_nobody_waiting(
    power_bank: Shop, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, real = someone(power_bank), erase.forget_person
    for n, person in enumerate((ada, other)):
        erase.ask_erasure(person.id, by=BY, at=NOW + timedelta(seconds=n))

    def forgets(key: UUID, **how: Any) -> None:
        if key == ada.id:
            raise ZeroDivisionError
        real(key, **how)

    monkeypatch.setattr(erase, "forget_person", forgets)
    for n in (1, 2):
        assert erase.erase_due(at=THEN + timedelta(minutes=n), limit=1) == 1
    waits, done = Erasure.objects.get(person=ada), Erasure.objects.get(person=other)
    assert (waits.erased_at, waits.due_at) == (None, THEN + timedelta(minutes=1) + erase.AN_HOUR)
    assert done.erased_at == THEN + timedelta(minutes=2)


def test_afterwards_nothing_says_who_it_was_and_the_book_is_as_it_was(over: Order, ada: Person) -> None:
    client, phone = visiting(ada), User.objects.get(pk=ada.user_id).reveal_phone()
    exports.ask_export(ada.id, by=BY, at=NOW)
    copying.make_exports(at=NOW, seconds=60)
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
    assert User.objects.with_phone(str(phone)) is None
    assert not User.objects.get(pk=ada.user_id).is_active
    assert {row.state for row in Instrument.objects.filter(person=ada)} == {"removed"}
    assert not Notice.objects.filter(person=ada).exclude(body="", subject="").exists()
    assert not Message.objects.filter(person=ada).exclude(text="").exists()
    assert not ExportPiece.objects.exists()
    assert {row.state for row in Agreement.objects.filter(person=ada)} == {"terminated"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(amount_minor), count(*) FROM ledger_posting")
        assert cursor.fetchone() == book
    assert list(violations()) == []
    with nothing_moves():
        assert erase.erase_due(at=THEN + timedelta(days=1)) == 0
        assert erase.erase(Erasure.objects.get().id, at=THEN + timedelta(days=1)) is False


def test_the_number_is_free_and_whoever_has_it_next_starts_from_nothing(over: Order, ada: Person) -> None:
    assert ada.user
    phone = str(ada.user.reveal_phone())
    gone(ada)
    new = accounts.register_person(phone, realm_id=ada.realm_id, by=BY, at=NOON)
    assert new.pk != ada.pk
    assert over.title not in words(visiting(new).get("/orders/"))
    assert "尚未实名认证" in words(visiting(new).get("/settings/"))


def test_the_merchant_still_gets_answers_and_may_still_give_money_back(
    over: Order, ada: Person, power_bank: Shop
) -> None:
    gone(ada)
    assert orders_of(power_bank.merchant.id).get(pk=over.pk).state == "deducted"
    refund, _new = refund_order(over.id, Asked(amount_minor=100, reason="再退"), by=BY, at=NOON + timedelta(hours=5))
    assert refund.state == "succeeded"
    assert not Notice.objects.filter(person=ada).exclude(body="").exists()
    assert scripts_of(people_of(power_bank.realm_id)) == []


def test_what_was_paid_from_a_wallet_goes_back_into_it_though_its_person_has_left(
    ada: Person, power_bank: Shop
) -> None:
    order = completed(power_bank, ada, yuan("6"))
    open_wallet(ada, at=NOON)
    top_up(ada.id, yuan("6"), "bank 1", at=NOON)
    pay_now(order.id, instrument_id=Instrument.objects.get(person=ada, channel="wallet").id, by=BY, at=NOON)
    gone(ada)
    refund, _new = refund_order(order.id, Asked(amount_minor=600, reason="再退"), by=BY, at=NOON + timedelta(hours=5))
    assert (refund.state, Wallet.objects.get(pk=ada.pk).balance_minor) == ("succeeded", 600)
    assert list(violations()) == []


def test_nothing_is_borrowed_in_the_name_of_who_has_left(over: Order, ada: Person, power_bank: Shop) -> None:
    gone(ada)
    assert Profile.objects.get(pk=ada.pk).frozen_at
    with pytest.raises(AssertionError):  # the assessment refuses
        opened(power_bank, ada, at=NOON + timedelta(days=1))


def test_words_are_only_ever_emptied(over: Order, ada: Person) -> None:
    with nothing_moves():
        for table, column in (("accounts_notice", "body"), ("accounts_notice", "subject"), ("orders_message", "text")):
            with refused_by(RESTRICT, "append_only"):
                run(f"UPDATE {table} SET {column} = 'other words'")  # noqa: S608
        for table, column in (("accounts_notice", "stage"), ("orders_message", "author")):
            with refused_by(NO_RIGHT):
                run(f"UPDATE {table} SET {column} = ''")  # noqa: S608


def test_of_what_a_merchant_was_told_only_the_words_of_a_return_go_and_all_of_them(over: Order, ada: Person) -> None:
    sent_back(over, 100)
    wrong = [
        ("type = 'order.opened'", {"reason": "***", "carrier": "***", "tracking_number": "***"}),
        ("type = 'return.opened'", {"reason": "***"}),
        ("type = 'return.opened'", {"reason": "x", "carrier": "***", "tracking_number": "***"}),
        ("type = 'return.opened'", {"amount": 1, "reason": "***", "carrier": "***", "tracking_number": "***"}),
    ]
    for which, words_then in wrong:
        with refused_by(RESTRICT, "append_only"):
            run(f"UPDATE merchants_event SET data = data || '{json.dumps(words_then)}' WHERE {which}")  # noqa: S608
    with refused_by(NO_RIGHT):
        run("UPDATE merchants_event SET type = 'order.opened' WHERE type = 'return.opened'")


@pytest.mark.parametrize("model", [Notice, Message, HandlingNote, Event])
def test_of_a_row_whose_words_may_go_every_other_column_is_kept(model: Any) -> None:
    guard = next(trigger for trigger in model._meta.triggers if trigger.name == "append_only")  # type: ignore[attr-defined]
    columns = {field.column for field in model._meta.concrete_fields} - set(model.erasable)
    assert set(guard.operation.operations[0].columns) == columns


def test_a_return_that_is_not_decided_keeps_somebody_here_and_its_parcel_is_forgotten_with_them(
    over: Order, ada: Person
) -> None:
    row = sent_back(over, 100, number="SF-OF-ADA")
    assert "您有退货尚未处理完毕" in words(fresh(ada).get(PAGE))
    with nothing_moves("django_session"), pytest.raises(erase.CannotLeaveYet):
        erase.ask_erasure(ada.id, by=BY, at=NOW)
    confirm_return(row.id, by=BY, at=NOON)
    gone(ada)
    row = Return.objects.get()
    assert (row.carrier, row.tracking_number, row.reason, row.amount_minor) == ("***", "***", "***", 100)
    told = Event.objects.filter(type__startswith="return.").order_by("sequence")
    assert [event.type for event in told] == ["return.opened", "return.advanced", "return.confirmed"]
    for event in told:
        assert {event.data[name] for name in ("carrier", "tracking_number", "reason")} == {"***"}
        assert (event.data["id"], event.data["amount"]) == (row.public_id, 100)
    assert list(violations()) == []


@pytest.mark.breaks_the_house  # the bank knows nothing of this return
def test_what_a_bank_took_back_keeps_somebody_here_until_it_is_decided(over: Order, ada: Person) -> None:
    dispute = take_back(deduction_of(over).id, Withdrawal("x-1", kept_of(over), "not_authorised"), by=BY, at=NOON)
    assert "银行退回了您的一笔扣款" in words(fresh(ada).get(PAGE))
    with nothing_moves("django_session"), pytest.raises(erase.CannotLeaveYet):
        erase.ask_erasure(ada.id, by=BY, at=NOW)
    assert dispute is not None
    accept_dispute(dispute.id, "merchant", "x", by=BY, at=NOON)
    gone(ada)
    assert Erasure.objects.get().erased_at == THEN


@pytest.mark.breaks_the_house  # the bank knows nothing of this return
def test_nothing_is_owed_again_by_somebody_who_has_left(over: Order, ada: Person) -> None:
    gone(ada)
    dispute = take_back(deduction_of(over).id, Withdrawal("x-1", kept_of(over), "no_funds"), by=BY, at=NOON)
    assert dispute is not None
    assert (dispute.state, dispute.bearer) == ("lost", "platform")
    assert not Obligation.objects.filter(person=ada, state__in=Obligation.PAYABLE).exists()
    assert {wrong.name for wrong in violations()} <= {"the_bank_agrees", "the_bank_agrees_on_disputes"}
