"""Colleagues judge differences from a statement, each on its own page: a small one alone, a large one together."""

from collections.abc import Callable

from django.test import Client

from billing.models import Break
from tests.billing.bench import balances
from tests.billing.statements import STRAY, taken_in, written
from tests.conftest import Shop
from tests.console.conftest import does, words_of
from tests.office.seconds import ASKED, asked, decided
from tests.stillness import nothing_moves


def test_a_difference_is_put_into_suspense_from_its_own_page(power_bank: Shop, at_desk: Callable[..., Client]) -> None:
    taken_in(power_bank, written([STRAY]))
    row = Break.objects.get()
    path = f"/ops/do/{row.public_id}/suspense"
    finance = at_desk("finance")
    page = finance.get(path)
    assert "clearing:sandbox → suspense" in words_of(page)
    assert "转入暂记" in finance.get(f"/ops/billing/break/{row.pk}/change/").content.decode()
    with nothing_moves():
        assert finance.post(path, {"note": "没有令牌"}).status_code == 422
    assert does(finance, path, note="银行多扣<b>").status_code == 302
    row.refresh_from_db()
    assert (row.resolution, row.closed_because) == ("suspense", "银行多扣<b>")
    assert balances(power_bank)["suspense"] == 700
    with nothing_moves("django_session"):
        assert finance.get(path).status_code == 404


def test_a_large_one_needs_two_and_only_those_who_may(power_bank: Shop, at_desk: Callable[..., Client]) -> None:
    taken_in(power_bank, written([STRAY | {"amount": 100_000}]))
    path = f"/ops/do/{Break.objects.get().public_id}/nothing"
    assert at_desk("support").get(path).status_code == 403
    finance = at_desk("finance")
    assert "须由另一位同事" in words_of(finance.get(path))
    row = asked(finance, path, note="银行已更正")
    with nothing_moves(*ASKED[2:]):
        assert decided(finance, row).status_code == 422
    boss = at_desk("supervisor", language="en")
    assert "No discrepancy" in words_of(boss.get("/ops/second/"))
    decided(boss, row, because="agreed")
    done = Break.objects.get()
    assert (done.resolution, done.closed_because, "+" in done.closed_by) == ("nothing", "银行已更正", True)


def test_what_was_heard_by_the_resolver_in_between_is_another_thing_to_agree_to(
    power_bank: Shop, at_desk: Callable[..., Client]
) -> None:
    taken_in(power_bank, written([STRAY | {"amount": 100_000}]))
    heard = Break.objects.get().heard_at
    Break.objects.update(heard_at=None)
    row = asked(at_desk("finance"), f"/ops/do/{Break.objects.get().public_id}/nothing", note="x")
    boss = at_desk("supervisor")
    assert "已交自动处理" in words_of(boss.get(f"/ops/second/{row.public_id}"))
    Break.objects.update(heard_at=heard)
    with nothing_moves(*ASKED[2:]):
        assert decided(boss, row).status_code == 422
