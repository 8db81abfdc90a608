"""A day of the book is closed: it takes nothing any more, and what it said can be proved for ever."""

from datetime import datetime, timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg2 import extensions

from bnpl.invariants import violations
from kernel.models import Realm
from ledger import closing, trees
from ledger.models import ClosedBalance, ClosedDay, ClosedPart, Closing, Posting
from ledger.rules import FEES, Move, clearing, payable
from ledger.services import Fact, post
from ledger.statement import account, day_balance
from merchants.models import Merchant
from tests.conftest import NOON, Shop, yuan
from tests.guards import NO_RIGHT, RESTRICT, refused_by, run
from tests.stillness import nothing_moves

ONE_DAY = timedelta(days=1)
#: An hour and a bit after the midnight in Shanghai that follows noon.
CLOSED = NOON + timedelta(hours=13, minutes=1)


def book(shop: Shop, minor: int = 100, *, at: datetime = NOON, merchant: Merchant | None = None) -> Posting:
    owner = (merchant or shop.merchant).id
    moves = [Move(clearing("sandbox"), payable(owner), yuan(str(minor))), Move(payable(owner), FEES, yuan("1"))]
    return post([Fact(uuid4(), "collected", moves)], realm_id=shop.realm_id, at=at)[0]


@pytest.mark.breaks_the_house
def test_a_day_is_closed_an_hour_after_its_end_and_once(power_bank: Shop) -> None:
    book(power_bank)
    assert closing.close_days(power_bank.realm_id, at=CLOSED - timedelta(minutes=2)) == 0
    assert not ClosedDay.objects.exists()
    assert closing.close_days(power_bank.realm_id, at=CLOSED) == 1
    with nothing_moves():
        assert closing.close_days(power_bank.realm_id, at=CLOSED) == 0
        assert closing.close_days(power_bank.realm_id, at=CLOSED + 9 * ONE_DAY) == 0, (
            "no day without postings is closed"
        )
    day = ClosedDay.objects.get()
    assert (day.covers_on.isoformat(), day.postings, day.previous) == ("2026-11-20", 2, "")


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-12-31T15:59:59.999999Z", "2026-12-31"),
        ("2026-12-31T16:00:00Z", "2027-01-01"),
        ("2027-02-28T16:00:00Z", "2027-03-01"),
        ("2028-02-28T16:00:00Z", "2028-02-29"),
        ("2028-02-29T15:59:59.999999Z", "2028-02-29"),
        ("2028-02-29T16:00:00Z", "2028-03-01"),
    ],
)
@pytest.mark.breaks_the_house
def test_a_day_ends_at_midnight_in_shanghai_where_months_and_years_do(power_bank: Shop, at: str, day: str) -> None:
    moment = datetime.fromisoformat(at)
    book(power_bank, at=moment)
    assert closing.close_days(power_bank.realm_id, at=moment + timedelta(hours=25)) == 1
    found = ClosedDay.objects.get()
    assert (found.covers_on.isoformat(), closing.is_whole(found)) == (day, True)
    assert found.covers_from <= moment < found.covers_until


@pytest.mark.breaks_the_house
def test_what_comes_for_a_closed_day_stands_on_the_first_open_one(power_bank: Shop) -> None:
    book(power_bank)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    late = book(power_bank)
    stands = Posting.objects.get(pk=late.pk).at
    assert stands == Closing.objects.get().closed_until > NOON
    assert all(closing.is_whole(day) for day in ClosedDay.objects.all())
    assert book(power_bank, at=CLOSED).at == CLOSED
    assert closing.close_days(power_bank.realm_id, at=CLOSED + ONE_DAY) == 1
    first, second = ClosedDay.objects.order_by("covers_on")
    assert (second.previous, second.postings) == (first.digest, 4)


CHANGES = (
    ("ledger_posting SET amount_minor = amount_minor + 1", "ledger_posting SET amount_minor = amount_minor - 1"),
    ("ledger_posting SET kind = 'completed'", "ledger_posting SET kind = 'collected'"),
    ("ledger_posting SET at = at + interval '1 s'", "ledger_posting SET at = at - interval '1 s'"),
    ("ledger_posting SET at = at - interval '9 d'", "ledger_posting SET at = at + interval '9 d'"),
    ("ledger_closedday SET digest = reverse(digest)", "ledger_closedday SET digest = reverse(digest)"),
    ("ledger_closedday SET previous = 'x'", "ledger_closedday SET previous = ''"),
    ("ledger_closedpart SET top = reverse(top)", "ledger_closedpart SET top = reverse(top)"),
)


@pytest.mark.breaks_the_house
@pytest.mark.django_db(transaction=True)
def test_whoever_owns_the_whole_server_and_changes_a_closed_day_is_found_out(
    power_bank: Shop, superuser_connection: extensions.connection
) -> None:
    superuser_connection.autocommit = True
    for minor in (100, 200, 300):
        book(power_bank, minor)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    with superuser_connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for change, undo in CHANGES:
            assert list(closing.broken_days()) == []
            cursor.execute(f"UPDATE {change}")
            assert [day.covers_on.isoformat() for day in closing.broken_days()] == ["2026-11-20"], change
            with pytest.raises(SystemExit):
                call_command("verify", stdout=StringIO())
            cursor.execute(f"UPDATE {undo}")


@pytest.mark.breaks_the_house
def test_a_closed_day_is_not_opened_again(power_bank: Shop) -> None:
    book(power_bank)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    with nothing_moves(), refused_by(RESTRICT, "never_reopened"):
        run("UPDATE ledger_closing SET closed_until = closed_until - interval '1 day'")
    with nothing_moves(), refused_by(NO_RIGHT):
        run("UPDATE ledger_closedday SET postings = 1")
    with nothing_moves(), refused_by(NO_RIGHT):
        run("DELETE FROM ledger_closing")


@pytest.mark.breaks_the_house
def test_every_posting_of_every_merchant_is_proved_and_none_of_an_open_day(power_bank: Shop, shop: Shop) -> None:
    other = power_bank.live
    rows = [book(power_bank, minor) for minor in range(100, 107)]
    theirs = [book(power_bank, minor, merchant=other) for minor in range(100, 103)]
    book(shop)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    still_open = book(power_bank, at=CLOSED)
    for owner, postings in ((power_bank.merchant.id, [*rows, still_open]), (other.id, theirs)):
        found = closing.included(power_bank.realm_id, owner, [(row.id, row.at) for row in postings])
        assert len(found) == len(postings) - (still_open in postings)
        for one in found.values():
            node = trees.leaf(one.line)
            for step in one.steps:
                node = trees.joined(step.node, node) if step.side == "left" else trees.joined(node, step.node)
            assert node.hex() == one.day.top
    assert {part.owner for part in ClosedPart.objects.filter(day__realm_id=power_bank.realm_id)} == {
        power_bank.merchant.id,
        other.id,
    }
    assert str(power_bank.merchant.id).replace("-", "") not in found.popitem()[1].line


def test_every_way_up_a_tree_of_any_size_leads_to_its_top() -> None:
    for size in range(1, 34):
        nodes = [trees.leaf(str(number)) for number in range(size)]
        for place in range(size):
            node = nodes[place]
            for step in trees.way(nodes, place):
                node = trees.joined(step.node, node) if step.side == "left" else trees.joined(node, step.node)
            assert node == trees.root(nodes)


@pytest.mark.breaks_the_house
def test_time_that_stands_still_closes_nothing(power_bank: Shop) -> None:
    book(power_bank)
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=CLOSED)
    assert closing.close_books(real=CLOSED) == 0
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=None)
    assert closing.close_books(real=CLOSED) == 1


@pytest.mark.breaks_the_house
def test_a_realm_whose_books_cannot_be_closed_keeps_none_behind_it_open(
    power_bank: Shop, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted((power_bank, shop), key=lambda one: one.realm_id)
    book(first)
    book(second)
    close_days = closing.close_days

    def fails_for_one(realm_id: int, *, at: datetime) -> int:
        if realm_id == first.realm_id:
            raise ValueError("of its own")
        return close_days(realm_id, at=at)

    monkeypatch.setattr(closing, "close_days", fails_for_one)
    with pytest.raises(ValueError, match="of its own"):
        closing.close_books(real=CLOSED)
    assert list(ClosedDay.objects.values_list("realm_id", flat=True)) == [second.realm_id]


@pytest.mark.breaks_the_house
def test_a_day_is_read_from_what_stood_when_the_last_closed_day_had_ended(power_bank: Shop) -> None:
    realm, days = power_bank.realm_id, [NOON + number * ONE_DAY for number in range(5)]
    for at in (days[0], days[1], days[3]):
        book(power_bank, at=at)
    spans = [(closing.midnight(at), closing.midnight(at) + ONE_DAY) for at in days]
    before = [day_balance(realm, *span) for span in spans], account(realm, "fees", None, *spans[4]).before
    closing.close_days(realm, at=days[2] + ONE_DAY)

    assert ClosedBalance.objects.count() == 2 * 3, "three accounts for each of two days"
    assert ([day_balance(realm, *span) for span in spans], account(realm, "fees", None, *spans[4]).before) == before
    with CaptureQueriesContext(connection) as asked:
        day_balance(realm, *spans[4])
    assert len(asked) == 1
    assert [row.name for row in violations() if "balances" in row.name] == []


@pytest.mark.breaks_the_house
def test_verify_notices_a_balance_that_was_changed_and_one_that_was_taken_away(
    power_bank: Shop, superuser_connection: extensions.connection
) -> None:
    for days in range(3):
        book(power_bank, at=NOON + days * ONE_DAY)
    closing.close_days(power_bank.realm_id, at=CLOSED + 2 * ONE_DAY)
    second = str(ClosedDay.objects.order_by("covers_on")[1].pk)
    for words in (
        "UPDATE ledger_closedbalance SET stands_minor = stands_minor + 1 WHERE day_id = %s AND code = 'fees'",
        "DELETE FROM ledger_closedbalance WHERE day_id = %s AND code = 'fees'",
    ):
        with superuser_connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(words, [second])
            cursor.execute("SET session_replication_role = origin")
        assert {row.name for row in violations()} >= {"balances_of_closed_days_are_what_was_booked"}, words
