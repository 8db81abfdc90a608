"""A merchant checks by themselves, with the script of the documents, that their lines stand in the closed book."""

import copy
import importlib.util
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from billing.services.deduct import deduct_due
from ledger import closing
from tests.api import Api
from tests.billing.bench import give_back, paid
from tests.conftest import NOON, Shop
from tests.settlement.bench import MIDNIGHT, day_ends

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "verify_settlement.py"
CLOSED = MIDNIGHT + timedelta(hours=2)


def proof_of(shop: Shop, query: str = "") -> Any:
    api = Api(shop)
    settlement = api.get("settlements").json()["data"][-1]["id"]
    return api.get(f"settlements/{settlement}/proof{query}").json()


def run(proof: Any, tmp_path: Path, *noted: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(proof), encoding="utf-8")
    asked = [sys.executable, "-I", str(SCRIPT), str(file), *noted]
    return subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("verify_settlement", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_merchant_proves_each_line_and_every_change_to_the_answer_is_noticed(
    power_bank: Shop, shop: Shop, tmp_path: Path
) -> None:
    orders = [paid(power_bank, amount) for amount in ("6", "7.77", "1")]
    give_back(orders[1], "2.22")
    paid(shop, "49.90")
    day_ends(power_bank, MIDNIGHT)
    assert all(line["posting"] is None for line in proof_of(power_bank)["data"]), "the day is open"
    closing.close_days(power_bank.realm_id, at=CLOSED)
    proof = proof_of(power_bank)
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) <= 50

    done = run(proof, tmp_path, proof["days"][0]["digest"])
    assert (done.returncode, done.stdout) == (0, "8 of 8 lines stand in the closed book.\n"), done.stderr
    assert run(proof, tmp_path, "0" * 64).returncode == 1
    check = loaded().check
    for change in (
        lambda p: p["data"][0].update(amount=p["data"][0]["amount"] + 1),
        lambda p: p["data"][0].update(posting=p["data"][0]["posting"].replace("|CNY|", "|USD|")),
        lambda p: p["data"][1]["path"].pop(),
        lambda p: p["data"][0].update(id=p["data"][1]["id"]),
        lambda p: p["days"][0].update(postings=99),
        lambda p: p["days"][0].update(top="0" * 64),
        lambda p: p.update(merchant="mch_" + "0" * 32),
    ):
        other = copy.deepcopy(proof)
        change(other)
        with pytest.raises((SystemExit, KeyError)):
            check(other)


def test_days_follow_each_other_and_a_digest_that_was_noted_is_found_again(power_bank: Shop, tmp_path: Path) -> None:
    paid(power_bank)
    day_ends(power_bank, MIDNIGHT)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    noted = proof_of(power_bank)["days"][-1]["digest"]
    for days in (1, 2):
        at = NOON + timedelta(days=days)
        paid(power_bank, "3")
        deduct_due(power_bank.realm_id, at=at)
        closing.close_days(power_bank.realm_id, at=at + timedelta(days=1))
    proof = proof_of(power_bank)
    assert len(proof["days"]) >= 1
    assert run(proof, tmp_path, noted).returncode == 0


def test_a_page_of_the_proof_asks_the_same_however_long_the_settlement_is(
    power_bank: Shop, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        paid(power_bank)
    day_ends(power_bank, MIDNIGHT)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    with django_assert_max_num_queries(16):
        proof = proof_of(power_bank, "?limit=12")
    assert len(proof["data"]) == 12
