"""Helpers for dual approval: one colleague proposes on a page, another decides."""

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
from tests.browsing import form_token
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan
from tests.console.conftest import preview_digest, submit_form
from tests.office.queue_fixtures import staff_user

#: Tables that proposing may write: the proposal, the form token and the session.
PROPOSAL_TABLES = ("office_proposal", "office_proposalevent", "kernel_idempotencykey", "django_session")


def propose_on_page(client: Client, path: str, **fields: Any) -> Proposal:
    """Submit an action that needs approval on its page; returns the proposal."""
    answer = submit_form(client, path, **fields)
    assert answer.status_code == 302, answer.content.decode()
    return Proposal.objects.latest("pk")


def decide_on_page(
    client: Client, row: Proposal, deed: str = "approve", because: str = "看过了", page: Any = None
) -> Any:
    """Decide a proposal on its page."""
    path = f"/ops/second/{row.public_id}"
    page = page or client.get(path)
    form = {"token": form_token(page), "deed": deed, "because": because}
    if b'name="seen"' in page.content:
        form["seen"] = preview_digest(page)
    return client.post(f"{path}/decide", form)


def channel_txn_of(made: Deduction) -> str:
    """The sandbox bank's transaction number of a deduction."""
    answer = channels.query(made.channel, made.number, at=NOON)
    assert isinstance(answer, channels.Succeeded)
    return answer.txn


def reloaded(row: Proposal) -> Proposal:
    """The proposal read again from the database."""
    return Proposal.objects.get(pk=row.pk)


def approve_proposals(shop: Shop) -> None:
    """Propose and approve one action of several types."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("8"))
    late = NOON + timedelta(days=10)
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=late, limit=99)
    lin, mei = Actor.staff(staff_user("supervisor").pk), Actor.staff(order.person_id)
    paid = make_due_order(shop, make_person(shop), yuan("8"), at=late)
    deduct_due(shop.realm_id, at=late)
    wishes: dict[str, tuple[str, dict[str, list[str]]]] = {
        "change_limit": (order.person.public_id, {"limit": ["7"]}),
        "write_off": (order.public_id, {}),
        "refund": (paid.public_id, {"amount": ["2"]}),
    }
    assert set(wishes) <= {verb.name for verb in console_actions.ROW_ACTIONS}
    for matter, (about, wish) in wishes.items():
        asked = proposals.propose(matter, about, wish, "x", by=lin, at=late)
        proposals.approve(asked.id, "x", by=mei, at=late)
