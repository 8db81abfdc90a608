"""守约证明: only the chosen facts, signed, verifiable with or without us, and revocable."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import Person
from billing.services.deduct import deduct_due
from orders import services as orders
from orders.models import Order
from orders.queries import plan_options_for
from orders.rules import PlanOffer
from personal import queries, rules, signing
from personal.models import Proof
from personal.services import erasures
from personal.services.proofs import VALID_PROOFS_MAX, FactNotTrue, TooManyProofs, issue_proof, revoke_proof
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.overdue import make_overdue
from tests.unchanged import assert_unchanged

NOW = datetime.now(UTC)  # noqa: TID251  proofs live in real time
PAGE = "/settings/proofs/"
ALL = [name for name in rules.FACTS if name != "name"]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "proofs.md"


@pytest.fixture
def proof(finished_order: Order, ada: Person) -> Proof:
    return issue_proof(ada.id, ALL, 30, by=BY, at=NOW)


def state(statement: str, *, at: datetime = NOW) -> str:
    return queries.check_statement(statement, at=at).state


def test_it_says_what_was_chosen_and_nothing_else(proof: Proof, ada: Person) -> None:
    claims = queries.check_statement(proof.reveal_statement(), at=NOW).claims
    assert claims["iss"] == settings.BASE_URL
    assert claims["exp"] - claims["iat"] == 30 * 86_400
    assert claims["test"] is True
    assert set(claims) == {"iss", "jti", "iat", "exp", "facts", "test"}
    assert set(claims["facts"]) == set(ALL)
    assert claims["facts"]["band"] in "SABCD"
    assert claims["facts"]["promises_kept"] == 1
    said = json.dumps(claims, ensure_ascii=False)
    assert ada.user
    for hidden in (ada.public_id, ada.id.hex, str(ada.user.reveal_phone()), "艾达", "充电宝"):
        assert hidden not in said
    other = issue_proof(ada.id, ["name"], 7, by=BY, at=NOW)
    assert queries.check_statement(other.reveal_statement(), at=NOW).claims["facts"] == {"name": "艾达"}
    assert other.number != proof.number


@pytest.mark.parametrize("facts", [["name"], ["promises_kept"]])
def test_whoever_verifies_it_is_told_how_to_know_its_holder(
    finished_order: Order, ada: Person, facts: list[str]
) -> None:
    statement = issue_proof(ada.id, facts, 7, by=BY, at=NOW).reveal_statement()
    page = visible_text(Client(headers={"accept-language": "zh-CN"}).get(f"/proof/{statement}"))
    assert ("请核对出示人与证明上的姓名。" in page, "证明不显示持有人是谁" in page) == (
        facts == ["name"],
        facts != ["name"],
    )


def test_only_what_is_true_now_is_signed(finished_order: Order, ada: Person, power_bank: Shop) -> None:
    late = make_due_order(power_bank, make_person(power_bank, "no_funds", name="博"), yuan("3"))
    make_overdue(power_bank.realm_id, at=NOON + timedelta(days=9), limit=10)
    bo = late.person
    assert {"nothing_overdue", "kept_since"} & queries.provable_facts(bo).keys() == set()
    with assert_unchanged():
        for facts in ([], ["nothing_overdue"], ["band", "phone"]):
            with pytest.raises(FactNotTrue):
                issue_proof(bo.id, facts, 7, by=BY, at=NOW)
    page = client_for(bo).get(PAGE)
    assert "连续守约自" not in visible_text(page)


def test_kept_since_is_the_day_the_last_overdue_order_ended(power_bank: Shop) -> None:
    """Not the day it became overdue, whether it was paid or put on a plan; withdrawn while something is overdue."""
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("60"))
    person, end = order.person, NOON + timedelta(days=64)
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + timedelta(days=4), limit=9)
    expected = plan_options_for(person.id, order.id, at=end).sums
    orders.choose_plan(person.id, order.id, PlanOffer(3, 30), expected=expected, by=BY, at=end)
    assert queries.provable_facts(person)["kept_since"] == "2027-01-23"

    orders.mark_paid(order.id, end + timedelta(days=1), "till", by=BY, at=end + timedelta(days=1))
    assert queries.provable_facts(person)["kept_since"] == "2027-01-23"

    paid_late = make_due_order(power_bank, make_person(power_bank, "no_funds", name="博"), yuan("60"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + timedelta(days=4), limit=9)
    assert "kept_since" not in queries.provable_facts(paid_late.person)
    orders.mark_paid(paid_late.id, end, "till", by=BY, at=end)
    assert queries.provable_facts(paid_late.person)["kept_since"] == "2027-01-23"
    freeze_clock(end + timedelta(days=1), paid_late.person)
    page = visible_text(client_for(paid_late.person).get("/credit/"))
    assert "上次逾期在 1 天前" in page
    assert "无逾期时长 仅展示" in page


@pytest.mark.parametrize("days", ["0", "8", "-7", "x", "9" * 30, "9" * 5_000, "²", "٣٠", ""], ids=lambda days: days[:9])
def test_a_term_is_one_of_three(days: str, finished_order: Order, ada: Person) -> None:
    client = client_for(ada)
    answer = client.post(PAGE, {"token": form_token(client.get(PAGE)), "fact": ["band"], "days": days})
    assert answer.status_code == 422
    assert not Proof.objects.exists()


def test_made_once_however_often_the_button_is_pressed_and_not_without_end(finished_order: Order, ada: Person) -> None:
    client = client_for(ada)
    form = {"token": form_token(client.get(PAGE)), "fact": ["band", "kept_since"], "days": "7"}
    made = client.post(PAGE, form)["Location"]
    assert client.post(PAGE, form)["Location"] == PAGE
    assert Proof.objects.get().public_id in made
    for _ in range(VALID_PROOFS_MAX - 1):
        issue_proof(ada.id, ["band"], 7, by=BY, at=NOW)
    with assert_unchanged(), pytest.raises(TooManyProofs):
        issue_proof(ada.id, ["band"], 7, by=BY, at=NOW)


def test_anybody_sees_whether_it_counts(proof: Proof, ada: Person) -> None:
    stranger, address = Client(headers={"accept-language": "zh-CN"}), f"/proof/{proof.reveal_statement()}"
    page = stranger.get(address)
    assert "证明有效" in visible_text(page)
    assert "测试用户" in visible_text(page)
    local = proof.expires_at.astimezone(ZoneInfo(settings.CONSOLE_ZONE))
    assert f"有效期至 {local:%Y}年{local.month}月{local.day}日 {local:%H:%M}" in visible_text(page)
    assert (page["X-Robots-Tag"], page["Referrer-Policy"]) == ("noindex", "no-referrer")
    as_json = stranger.get(address, headers={"accept": "application/json"}).json()
    assert (as_json["state"], set(as_json["says"]["facts"])) == ("valid", set(ALL))
    assert stranger.get("/proof/", {"statement": f" {settings.BASE_URL}{address}\n"})["Location"] == address
    assert stranger.get("/proof/", {"statement": "x" * 5000}).status_code == 200
    assert state(proof.reveal_statement(), at=NOW + timedelta(days=30)) == "expired"
    client_for(ada).post(f"{PAGE}{proof.public_id}/revoke")
    assert "证明已作废" in visible_text(stranger.get(address))
    assert stranger.get(address, headers={"accept": "application/json"}).json() == {"state": "revoked"}


def test_whatever_was_changed_in_it_is_not_ours(proof: Proof) -> None:
    statement = proof.reveal_statement()
    head, body, signature = statement.split(".")
    other = "B" if body[40] == "A" else "A"
    forged = [
        f"{head}.{body[:40]}{other}{body[41:]}.{signature}",
        f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature}=",
        f"{statement}.{signature}",
        "a.b.c",
        "..",
        "é.é.é",
        "A" * 4001,
        signing._encode_json({"alg": "none", "kid": "p1"}) + f".{body}.",  # noqa: SLF001
        signing._encode_json({"alg": "EdDSA", "kid": "p9"}) + f".{body}.{signature}",  # noqa: SLF001
        signing._encode_json({"alg": "EdDSA", "kid": ["p1"]}) + f".{body}.{signature}",  # noqa: SLF001
    ]
    assert [state(text) for text in forged] == ["foreign"] * len(forged)
    assert "这不是我们出具的证明" in visible_text(Client(headers={"accept-language": "zh-CN"}).get("/proof/a.b.c"))


def test_a_statement_of_another_issuer_under_the_same_key_is_rejected(proof: Proof, db: None) -> None:
    claims = queries.check_statement(proof.reveal_statement(), at=NOW).claims | {"iss": "https://elsewhere.example"}
    assert state(signing.sign(claims)) == "foreign"


def test_a_signed_but_unknown_statement_is_revoked(proof: Proof) -> None:
    claims = queries.check_statement(proof.reveal_statement(), at=NOW).claims | {"jti": "unknown"}
    assert state(signing.sign(claims)) == "revoked"


def test_others_can_neither_see_nor_revoke_it(proof: Proof, power_bank: Shop) -> None:
    bo = client_for(make_person(power_bank, name="博"))
    with assert_unchanged():
        for tail in ("", "/json", "/pdf"):
            strange, missing = bo.get(f"{PAGE}{proof.public_id}{tail}"), bo.get(f"{PAGE}prf_{'0' * 32}{tail}")
            assert (strange.status_code, strange.content) == (404, missing.content)
        assert bo.post(f"{PAGE}{proof.public_id}/revoke").status_code == 404
        assert Client().get(PAGE).status_code == 302


def test_its_person_shows_it_saves_it_and_takes_it_back(proof: Proof, ada: Person) -> None:
    client = client_for(ada)
    page = client.get(f"{PAGE}{proof.public_id}")
    assert '<svg class="scan"' in page.content.decode()
    saved = client.get(f"{PAGE}{proof.public_id}/json").json()
    assert saved["statement"] == proof.reveal_statement()
    assert saved["check"] == f"{settings.BASE_URL}/proof/{proof.reveal_statement()}"
    assert client.get(f"{PAGE}{proof.public_id}/pdf").content.startswith(b"%PDF-")
    revoke_proof(ada.id, proof.id, by=BY, at=NOW)
    with assert_unchanged():
        revoke_proof(ada.id, proof.id, by=BY, at=NOW)
    gone = client.get(f"{PAGE}{proof.public_id}").content.decode()
    assert "<svg" not in gone
    assert "已作废" in gone


def test_who_leaves_leaves_no_proof(proof: Proof, ada: Person) -> None:
    statement = proof.reveal_statement()
    erasures.request_erasure(ada.id, by=BY, at=NOW)
    erasures.erase_due(at=NOW + rules.ERASURE_DELAY)
    assert state(statement) == "revoked"
    assert Proof.objects.get().reveal_statement() == ""


def test_the_script_of_the_docs_checks_it_without_us(proof: Proof, tmp_path: Path) -> None:
    script = re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert script
    assert len(script[1].splitlines()) <= 40
    (tmp_path / "check.py").write_text(script[1], encoding="utf-8")
    keys = Client().get("/.well-known/proof-keys.json")
    assert keys["Content-Type"] == "application/jwk-set+json"
    assert "d" not in keys.json()["keys"][0]
    (tmp_path / "keys.json").write_bytes(keys.content)

    def run(statement: str) -> tuple[int, str]:
        command = [sys.executable, str(tmp_path / "check.py"), str(tmp_path / "keys.json"), settings.BASE_URL]
        done = subprocess.run(command, input=statement, capture_output=True, text=True, check=False)  # noqa: S603
        assert not done.stderr
        return done.returncode, json.loads(done.stdout)["state"]

    live = queries.check_statement(proof.reveal_statement(), at=NOW).claims
    del live["test"]
    assert run(signing.sign(live)) == (0, "valid")
    assert run(signing.sign(live | {"exp": int(NOW.timestamp()) - 1})) == (1, "expired")
    assert run(proof.reveal_statement()) == (1, "foreign")  # a sandbox's
    assert run(signing.sign(live)[:-3] + "AAA") == (1, "foreign")


def test_an_older_key_still_opens_what_it_signed(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    old = proof.reveal_statement()
    monkeypatch.setattr(settings, "PROOF_KEYS", {"p2": bytes(range(32)), **settings.PROOF_KEYS})
    signing._keys.cache_clear()  # noqa: SLF001  as a new process has none
    try:
        assert state(old) == "valid"
        assert signing.signing_key_name() == "p2"
        assert [key["kid"] for key in signing.public_key_set()["keys"]] == ["p2", "p1"]
    finally:
        monkeypatch.undo()
        signing._keys.cache_clear()  # noqa: SLF001
