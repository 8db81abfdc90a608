"""Merchants verify with the documented script that their lines are in the closed ledger."""

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
from tests.billing.helpers import issue_refund, paid_order
from tests.conftest import NOON, Shop
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "verify_settlement.py"
CLOSED = MIDNIGHT + timedelta(hours=2)


def fetch_proof(shop: Shop, query: str = "") -> Any:
    api = Api(shop)
    settlement = api.get("settlements").json()["data"][-1]["id"]
    return api.get(f"settlements/{settlement}/proof{query}").json()


def run_verifier(proof: Any, tmp_path: Path, *noted: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(proof), encoding="utf-8")
    asked = [sys.executable, "-I", str(SCRIPT), str(file), *noted]
    return subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603


def load_verifier() -> Any:
    spec = importlib.util.spec_from_file_location("verify_settlement", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_line_is_proved_and_any_change_is_detected(power_bank: Shop, shop: Shop, tmp_path: Path) -> None:
    orders = [paid_order(power_bank, amount) for amount in ("6", "7.77", "1")]
    issue_refund(orders[1], "2.22")
    paid_order(shop, "49.90")
    settle_and_pay_out(power_bank, MIDNIGHT)
    assert all(line["posting"] is None for line in fetch_proof(power_bank)["data"]), "the day is open"
    closing.close_days(power_bank.realm_id, at=CLOSED)
    proof = fetch_proof(power_bank)
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) <= 50

    done = run_verifier(proof, tmp_path, proof["days"][0]["digest"])
    assert (done.returncode, done.stdout) == (0, "8 of 8 lines stand in the closed book.\n"), done.stderr
    assert run_verifier(proof, tmp_path, "0" * 64).returncode == 1
    check = load_verifier().check
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


def test_proof_has_consecutive_days_and_a_noted_digest(power_bank: Shop, tmp_path: Path) -> None:
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    noted = fetch_proof(power_bank)["days"][-1]["digest"]
    for days in (1, 2):
        at = NOON + timedelta(days=days)
        paid_order(power_bank, "3")
        deduct_due(power_bank.realm_id, at=at)
        closing.close_days(power_bank.realm_id, at=at + timedelta(days=1))
    proof = fetch_proof(power_bank)
    assert len(proof["days"]) >= 1
    assert run_verifier(proof, tmp_path, noted).returncode == 0


def test_proof_query_count_is_constant(power_bank: Shop, django_assert_max_num_queries: Any) -> None:
    for _ in range(6):
        paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    with django_assert_max_num_queries(16):
        proof = fetch_proof(power_bank, "?limit=12")
    assert len(proof["data"]) == 12
