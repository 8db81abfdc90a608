"""The tables, columns and commands named in docs/deductions.md exist."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from django.core.management import get_commands

from accounts import services as accounts
from billing.models import Deduction
from billing.planning import FailureClass, Policy
from billing.services.deduct import deduct_due
from orders.models import Pause
from tests.browsing import signed_in_client
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

DOCS = Path(__file__).resolve().parents[2] / "docs"
DEDUCTIONS = (DOCS / "deductions.md").read_text(encoding="utf-8")


@pytest.mark.django_db
def test_every_page_it_names_is_there(power_bank: Shop) -> None:
    colleague = signed_in_client(
        accounts.create_staff("lin", "correct horse battery", roles=["viewer"], by=BY, at=NOON)
    )
    addresses = set(re.findall(r"`(/ops/[^`…]*)", DEDUCTIONS))
    assert len(addresses) > 7
    make_due_order(power_bank, make_person(power_bank), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    debit = Deduction.objects.get().public_id
    for address in addresses:
        whole = debit if address.endswith("/ded_") else ""
        assert colleague.get(address.removesuffix("ded_" if whole else "") + whole).status_code == 200, address


def test_every_command_it_names_is_there() -> None:
    assert set(re.findall(r"manage\.py (\w+)", DEDUCTIONS)) <= set(get_commands())


@pytest.mark.parametrize("name", ["deductions.md", "operations.md"])
def test_every_file_it_leads_to_is_there(name: str) -> None:
    linked = re.findall(r"\]\(([\w/.-]+\.md)", (DOCS / name).read_text(encoding="utf-8"))
    assert linked
    assert not [path for path in linked if not (DOCS / path).is_file()]


def test_it_leaves_out_no_state_class_reason_or_field_of_a_policy() -> None:
    words = [*Deduction.State.values, *FailureClass, *Pause.Reason.values, *(field.name for field in fields(Policy))]
    assert not [word for word in words if f"`{word}`" not in DEDUCTIONS]


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(DOCS)))
def test_every_row_of_a_table_stands_in_one(path: Path) -> None:
    lines = ["", *path.read_text(encoding="utf-8").splitlines(), ""]
    begins = [at for at, line in enumerate(lines) if line.startswith("|") and not lines[at - 1].startswith("|")]
    assert not [lines[at][:60] for at in begins if not re.fullmatch(r"\|[-:| ]+", lines[at + 1])]
