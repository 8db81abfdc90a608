"""Two colleagues at their desks: one asks, the other decides."""

from datetime import timedelta
from typing import Any

from django.test import Client

from billing import channels
from billing.models import Deduction
from billing.services.deduct import deduct_due
from bnpl.urls import console_actions
from kernel.actor import Actor
from office.models import Proposal
from office.services import proposals
from orders import services as orders
from tests.conftest import NOON, Shop, completed, someone, yuan
from tests.console.conftest import does, seen_on
from tests.office.waiting import colleague
from tests.visiting import token_on

#: What asking, or being refused, may write: the proposal itself, the form's mark, and that somebody is signed in.
ASKED = ("office_proposal", "office_proposalevent", "kernel_idempotencykey", "django_session")


def asked(client: Client, path: str, **fields: Any) -> Proposal:
    """It is asked for at its page; what was asked."""
    answer = does(client, path, **fields)
    assert answer.status_code == 302, answer.content.decode()
    return Proposal.objects.latest("pk")


def decided(client: Client, row: Proposal, deed: str = "approve", because: str = "看过了", page: Any = None) -> Any:
    """The button is pressed on the proposal's own page."""
    path = f"/ops/second/{row.public_id}"
    page = page or client.get(path)
    form = {"token": token_on(page), "deed": deed, "because": because}
    if b'name="seen"' in page.content:
        form["seen"] = seen_on(page)
    return client.post(f"{path}/decide", form)


def txn_of(made: Deduction) -> str:
    """Under which transaction the sandbox bank took it."""
    answer = channels.query(made.channel, made.number, at=NOON)
    assert isinstance(answer, channels.Taken)
    return answer.txn


def now(row: Proposal) -> Proposal:
    """As it stands now."""
    return Proposal.objects.get(pk=row.pk)


def two_agree(shop: Shop) -> None:
    """What takes two: one asks, another agrees."""
    order = completed(shop, someone(shop, "no_funds"), yuan("8"))
    late = NOON + timedelta(days=10)
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=late, limit=99)
    lin, mei = Actor.staff(colleague("supervisor").pk), Actor.staff(order.person_id)
    paid = completed(shop, someone(shop), yuan("8"), at=late)
    deduct_due(shop.realm_id, at=late)
    wishes: dict[str, tuple[str, dict[str, list[str]]]] = {
        "change_limit": (order.person.public_id, {"limit": ["7"]}),
        "write_off": (order.public_id, {}),
        "refund": (paid.public_id, {"amount": ["2"]}),
    }
    assert set(wishes) <= {verb.name for verb in console_actions.VERBS}
    for matter, (about, wish) in wishes.items():
        asked = proposals.propose(matter, about, wish, "x", by=lin, at=late)
        proposals.approve(asked.id, "x", by=mei, at=late)
