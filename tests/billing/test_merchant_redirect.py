"""The signed redirect to the merchant after signing, and the choice of an instrument while signing."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts.models import Person
from billing.channels.bank import Behaviour
from billing.models import Instrument
from billing.services.instruments import Script, add_bank_account
from credit import services as credit
from credit.models import Agreement
from credit.return_urls import return_secret_of, signed_return_url
from kernel.clock import live_now
from merchants import services as merchants
from tests.api import Api
from tests.browsing import accept_terms, client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_person
from tests.guide.test_snippets import snippets
from tests.unchanged import assert_unchanged

#: Among what is the shop's own is an order of theirs.
SHOP = "https://shop.example/done?cart=7&order=77&state=evil&%73tate=evil&signature=v1,x&agreement=agr_0#top"


def asked(shop: Shop, url: str = SHOP) -> Agreement:
    return credit.request_agreement(shop.merchant.id, shop.service.id, "u-1", return_url=url, by=BY, at=NOON)


def query_of(browser: Client, name: str) -> dict[str, str]:
    """What stands in the query of the address that the person is led to."""
    answer = browser.get(f"/sign/{name}/back")
    assert answer.status_code == 302
    assert answer["Location"].startswith("https://shop.example/done?cart=7&order=77&agreement=agr_")
    assert answer["Location"].endswith("#top")
    pairs = parse_qsl(urlsplit(answer["Location"]).query)
    assert len(pairs) == len(dict(pairs)), "nothing stands there twice"
    return dict(pairs)


def by_library(query: dict[str, str], secret: str) -> None:
    headers = {f"webhook-{name}": query[name] for name in ("timestamp", "signature")}
    headers["webhook-id"] = query["agreement"]
    Webhook(secret).verify(query["state"], headers, json_parse=False)


def by_hand(query: dict[str, str], secret: str) -> None:
    """The guide's own lines."""
    scope: dict[str, Callable[[str, str], str]] = {}
    exec(compile(snippets("opening", "python")[1], "guide", "exec"), scope)  # noqa: S102
    assert scope["returned"](urlencode(query), secret) == query["state"]


@pytest.mark.parametrize("verify", [by_library, by_hand])
def test_the_outcome_is_signed_with_the_secret_the_merchant_was_given(
    power_bank: Shop, ada: Person, verify: Callable[[dict[str, str], str], None]
) -> None:
    body = {"service": power_bank.service.public_id, "person_ref": "u-1", "return_url": SHOP}
    api, browser = Api(power_bank), client_for(ada)
    made = api.post("agreements", body).json()
    secret = made["return_secret"]
    for state in ("pending", "active"):
        query = query_of(browser, made["id"])
        assert (query["agreement"], query["state"]) == (made["id"], state)
        assert abs(int(query["timestamp"]) - live_now().timestamp()) < 60
        verify(query, secret)
        later, old = str(int(query["timestamp"]) + 1), str(int(query["timestamp"]) - 301)
        for wrong in ({"state": "closing"}, {"timestamp": later}, {"timestamp": old}, {"agreement": "agr_1"}):
            with pytest.raises((ValueError, WebhookVerificationError)):
                verify(query | wrong, secret)
        with pytest.raises((ValueError, WebhookVerificationError)):
            verify(query, return_secret_of(asked(power_bank)))
        accept_terms(browser, f"/sign/{made['id']}")
    assert api.get(f"agreements/{made['id']}").json()["return_secret"] == secret


@pytest.mark.parametrize("query", ["name=%C4%E3%BA%C3", "flag", "p=a/b:c", "q=a+b&q=%E4%BD%A0", ""])
def test_the_merchants_own_parameters_stay_as_they_are_written(power_bank: Shop, query: str) -> None:
    agreement = asked(power_bank, f"https://shop.example/done?{query}")
    url = signed_return_url(agreement, at=NOON)
    before = f"{query}&" if query else ""
    assert url.startswith(f"https://shop.example/done?{before}agreement={agreement.public_id}&state=")


def test_without_a_return_url_there_is_no_secret_and_no_redirect(power_bank: Shop, ada: Person) -> None:
    body = {"service": power_bank.service.public_id, "person_ref": "u-1"}
    made = Api(power_bank).post("agreements", body).json()
    assert made["return_secret"] is None
    page = client_for(ada).get(f"/sign/{made['id']}")
    assert "不开通，返回" not in visible_text(page)
    assert client_for(ada).get(f"/sign/{made['id']}/back").status_code == 404


def test_who_has_opened_the_service_before_is_led_back_too(power_bank: Shop, ada: Person) -> None:
    browser = client_for(ada)
    accept_terms(browser, f"/sign/{asked(power_bank).public_id}")
    second = credit.request_agreement(
        power_bank.merchant.id, power_bank.service.id, "u-2", return_url=SHOP, by=BY, at=NOON
    )
    page = browser.get(f"/sign/{second.public_id}")
    assert "您已开通" in visible_text(page)
    assert f'href="/sign/{second.public_id}/back">返回 来电充电宝（shop.example）' in page.content.decode()


def test_another_persons_agreement_does_not_redirect(power_bank: Shop, shop: Shop, ada: Person) -> None:
    mine = asked(power_bank)
    credit.sign_agreement(mine.id, ada.id, by=BY, at=NOON)
    missing = client_for(ada).get("/sign/agr_" + "0" * 32 + "/back")
    for person in (make_person(power_bank, name="博文"), make_person(shop)):
        answer = client_for(person).get(f"/sign/{mine.public_id}/back")
        assert (answer.status_code, answer.content) == (404, missing.content)
    assert "/account/login/" in Client().get(f"/sign/{mine.public_id}/back")["Location"]


@pytest.fixture
def two(ada: Person) -> tuple[Instrument, Instrument]:
    """Ada has two accounts."""
    return ada.instruments.get(), add_bank_account(ada, Script(Behaviour.PAYS), "工资卡", by=BY, at=NOON)


def first_of(person: Person) -> str:
    return person.instruments.earliest("priority").display_name


def test_with_several_instruments_one_has_to_be_chosen(
    power_bank: Shop, ada: Person, two: tuple[Instrument, Instrument]
) -> None:
    agreement, browser = asked(power_bank), client_for(ada)
    path = f"/sign/{agreement.public_id}"
    page = browser.get(path)
    assert "优先从哪里扣款？ 沙箱银行卡 工资卡" in visible_text(page)
    assert " checked" not in page.content.decode()
    theirs = make_person(power_bank, name="博文").instruments.get()
    for nobodys in ("", "x", theirs.public_id, "ins_" + "0" * 32):
        with assert_unchanged():
            answer = accept_terms(browser, path, instrument=nobodys)
        assert (answer.status_code, "请选择扣款方式" in visible_text(answer)) == (422, True), nobodys

    assert accept_terms(browser, path, instrument=two[1].public_id)["Location"] == f"{path}/result"
    assert first_of(ada) == "工资卡"
    assert Agreement.objects.get(pk=agreement.pk).state == "active"


def test_a_declined_agreement_does_not_reorder_instruments(
    power_bank: Shop, ada: Person, two: tuple[Instrument, Instrument]
) -> None:
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, {"score_min": 900}, by=BY, at=NOON)
    path = f"/sign/{asked(power_bank).public_id}"
    browser = client_for(ada)
    accept_terms(browser, path, instrument=two[1].public_id)
    assert "暂时无法为您开通" in visible_text(browser.get(f"{path}/result"))
    assert first_of(ada) == "沙箱银行卡"


def test_a_payment_method_can_be_added_while_signing(power_bank: Shop, ada: Person) -> None:
    path = f"/sign/{asked(power_bank).public_id}"
    page = client_for(ada).get(path).content.decode()
    assert f'href="/instruments/?next={path.replace("/", "%2F")}"' in page
