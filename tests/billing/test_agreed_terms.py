"""The terms a person agreed to apply; whatever goes beyond them needs their agreement first."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from credit import reassessments
from credit import services as credit
from credit.models import Agreement
from credit.refusals import AgreementState, TermsChanged
from merchants import services as merchants
from merchants.queries import late_bounds, terms_of
from orders import services as orders
from tests.browsing import accept_terms, client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop
from tests.nonsense import NONSENSE
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.django_db
SEALS = (*NONSENSE, "条款🔏", "x" * 3_000_000)
LATE = {"grace": timedelta(hours=96), "late_fee_daily_bps": 2, "late_fee_cap_bps": 100}


@pytest.fixture
def cautious(db: None) -> Shop:
    """¥50 at most, each order waits for a yes, and little is taken of whoever is late."""
    return make_shop("云上小店", confirmation=True, ceiling_minor=50_00, **LATE)


def asked_for(shop: Shop, agreement: Agreement, ceiling: int) -> Any:
    """The state in which an order of so much at most begins."""
    wish = orders.OrderRequest(
        agreement_id=agreement.id, out_order_no=uuid4().hex, title="椅子", currency="CNY", ceiling=ceiling
    )
    opening = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON)
    assert opening.order is not None
    return opening.order.state


def changes(shop: Shop, **terms: Any) -> None:
    merchants.change_service(shop.merchant.id, shop.service.id, terms, by=BY, at=NOON)


def seal_of(shop: Shop) -> str:
    shop.service.refresh_from_db()
    return terms_of(shop.service, late_bounds(NOON)).fingerprint


def test_an_order_beyond_the_agreed_terms_needs_confirmation(cautious: Shop) -> None:
    agreement = make_agreement(cautious, make_person(cautious))
    changes(cautious, confirmation=False, ceiling_minor=500_00)
    for ceiling in (10_00, 50_00, 50_01, 500_00):
        assert asked_for(cautious, agreement, ceiling) == "created", "each order waits, as was agreed"
    assert asked_for(cautious, make_agreement(cautious, make_person(cautious)), 500_00) == "open"


@pytest.mark.parametrize(("ceiling", "state"), [(49_99, "open"), (50_00, "open"), (50_01, "created")])
def test_only_what_goes_beyond_the_agreed_ceiling_asks(db: None, ceiling: int, state: str) -> None:
    shop = make_shop("云上小店", ceiling_minor=50_00)
    agreement = make_agreement(shop, make_person(shop))
    changes(shop, ceiling_minor=500_00)
    assert asked_for(shop, agreement, ceiling) == state
    assert make_order(shop, agreement, ceiling=ceiling).state == "open", "whoever is asked may say yes"


def test_late_fees_never_exceed_the_agreed_terms(cautious: Shop) -> None:
    agreement = make_agreement(cautious, make_person(cautious))
    changes(cautious, grace=timedelta(hours=72), late_fee_daily_bps=5, late_fee_cap_bps=2_000)
    order = make_order(cautious, agreement)
    assert {name: getattr(order, name) for name in LATE} == LATE
    changes(cautious, late_fee_daily_bps=0, late_fee_cap_bps=0)
    assert make_order(cautious, agreement).late_fee_daily_bps == 0, "what is kinder counts at once"


def test_a_form_agrees_only_to_the_terms_it_showed(cautious: Shop) -> None:
    ada = make_person(cautious)
    freeze_clock(NOON, ada)
    asked = credit.request_agreement(cautious.merchant.id, cautious.service.id, "u-1", by=BY, at=NOON)
    browser, path = client_for(ada), f"/sign/{asked.public_id}"
    stale = seal_of(cautious)
    changes(cautious, ceiling_minor=80_00)
    for sent in ({"terms": stale}, {"terms": "f" * 24}, {"terms": ""}, {}):
        again = browser.post(path, sent)
        assert again.status_code == 409
        assert "商户已更改条款" in visible_text(again)
        assert "¥80.00" in visible_text(again)
        assert Agreement.objects.get(pk=asked.pk).state == "pending"
    assert accept_terms(browser, path)["Location"] == f"{path}/result"
    assert Agreement.objects.get(pk=asked.pk).agreed_terms.ceiling_minor == 80_00


def test_the_page_shows_the_changed_terms_and_agrees_once(cautious: Shop) -> None:
    ada = make_person(cautious)
    freeze_clock(NOON, ada)
    agreement = make_agreement(cautious, ada)
    browser = client_for(ada)
    assert "已更改条款" not in visible_text(browser.get("/services/"))
    changes(cautious, confirmation=False, ceiling_minor=500_00, grace=timedelta(hours=72), late_fee_daily_bps=5)
    page = visible_text(browser.get("/services/"))
    for said in ("已更改条款", "每笔最高 ¥500.00，此前为 ¥50.00", "不再逐笔询问您", "同意新条款"):
        assert said in page
    path = f"/services/{agreement.public_id}/agree"
    stale = seal_of(cautious)
    changes(cautious, ceiling_minor=600_00)
    assert "商户已更改条款" in visible_text(browser.post(path, {"terms": stale}, follow=True))
    assert asked_for(cautious, agreement, 10_00) == "created"
    for _ in range(2):
        assert browser.post(path, {"terms": seal_of(cautious)})["Location"] == "/services/"
    assert asked_for(cautious, agreement, 600_00) == "open"
    assert agreement.history.filter(kind="agreed_anew").count() == 1
    assert "已更改条款" not in visible_text(browser.get("/services/"))


def test_only_the_person_agrees_and_only_while_active(cautious: Shop) -> None:
    ada, bo = make_person(cautious), make_person(cautious, name="博文")
    freeze_clock(NOON, ada)
    agreement = make_agreement(cautious, ada)
    changes(cautious, ceiling_minor=500_00)
    answer = client_for(bo).post(f"/services/{agreement.public_id}/agree", {"terms": seal_of(cautious)})
    assert answer.status_code == 404
    with pytest.raises(TermsChanged):
        reassessments.accept_new_terms(agreement.id, "?", by=BY, at=NOON)
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    with pytest.raises(AgreementState):
        reassessments.accept_new_terms(agreement.id, seal_of(cautious), by=BY, at=NOON)


def test_the_database_lets_nobody_have_opened_what_they_agreed_nothing_of(cautious: Shop) -> None:
    agreement = make_agreement(cautious, make_person(cautious))
    with pytest.raises(IntegrityError, match="whoever_opens_a_service_agrees_to_its_terms"), transaction.atomic():
        Agreement.objects.filter(pk=agreement.pk).update(agreed_grace=None)


@pytest.mark.parametrize("seal", SEALS, ids=range(len(SEALS)))
def test_only_the_fingerprint_of_the_terms_agrees(cautious: Shop, seal: str) -> None:
    ada = make_person(cautious)
    freeze_clock(NOON, ada)
    agreement = make_agreement(cautious, ada)
    asked = credit.request_agreement(cautious.merchant.id, make_another(cautious), "u-2", by=BY, at=NOON)
    changes(cautious, ceiling_minor=500_00)
    browser = client_for(ada)
    with assert_unchanged():
        assert browser.post(f"/sign/{asked.public_id}", {"terms": seal}).status_code in (400, 409)
        assert browser.post(f"/services/{agreement.public_id}/agree", {"terms": seal}).status_code in (302, 400)


def make_another(shop: Shop) -> UUID:
    terms = {"name": "另一项", "mode": "dynamic", "ceiling_minor": 100, "currency": "CNY"}
    return merchants.offer_service(shop.merchant.id, terms, by=BY, at=NOON).id


def test_an_interrupted_agreement_changes_nothing(cautious: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    agreement = make_agreement(cautious, make_person(cautious))
    changes(cautious, ceiling_minor=500_00)
    monkeypatch.setattr("kernel.lifecycle.record_all", broken)
    with assert_unchanged(), pytest.raises(RuntimeError):
        reassessments.accept_new_terms(agreement.id, seal_of(cautious), by=BY, at=NOON)
    assert Agreement.objects.get(pk=agreement.pk).agreed_terms.ceiling_minor == 50_00


def broken(*_args: Any, **_kwargs: Any) -> None:
    raise RuntimeError


def test_the_merchants_name_is_escaped(db: None) -> None:
    shop = make_shop("💴<b>云</b>\u202e", ceiling_minor=50_00)
    ada = make_person(shop, name="艾达🙂")
    freeze_clock(NOON, ada)
    make_agreement(shop, ada)
    changes(shop, ceiling_minor=500_00)
    page = client_for(ada).get("/services/").content.decode()
    assert "💴&lt;b&gt;云&lt;/b&gt;" in page
    assert "<b>云" not in page
