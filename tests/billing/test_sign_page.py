"""Pages to open a service: terms, identity verification, signing, and the redirect to the merchant."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from accounts import rules
from accounts import services as accounts
from accounts.models import Person
from billing.models import Wallet
from credit import services as credit
from credit.models import Agreement, Decision, Profile
from credit.return_urls import signed_return_url
from kernel.models import LIVE
from merchants import services as merchants
from tests.browsing import accept_terms, client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_person
from tests.late_policy import publish_late_policy
from tests.unchanged import assert_unchanged

SHOP = "https://shop.example/done?cart=7&state=evil#top"
ADULT = "11010519491231002X"


def asked(shop: Shop, return_url: str = SHOP, ref: str = "u-1") -> Agreement:
    """The merchant has sent the person to our page."""
    return credit.request_agreement(shop.merchant.id, shop.service.id, ref, return_url=return_url, by=BY, at=NOON)


@pytest.fixture
def newcomer(power_bank: Shop) -> Person:
    """Somebody whose name we do not know yet."""
    person = accounts.register_person("+8613812341234", realm_id=power_bank.realm_id, by=BY, at=NOON)
    freeze_clock(NOON, person)
    return person


def state_of(agreement: Agreement) -> str:
    return str(Agreement.objects.values_list("state", flat=True).get(pk=agreement.pk))


def test_the_terms_are_shown_before_signing(power_bank: Shop, ada: Person) -> None:
    page = visible_text(client_for(ada).get(f"/sign/{asked(power_bank).public_id}"))
    for shown in (
        *("开通 来电充电宝", "每笔订单最高 ¥99.00", "现在不扣款", "扣款方式 沙箱银行卡", "应付时间后 3 天仍未付清"),
        *("利息 没有", "逾期费（仅在逾期后） 没有", "按时付款的年化成本 0%", "您只付所用服务的价款"),
        *("如何停用", "签约人：艾*", "同意并开通", "不开通，返回 来电充电宝"),
    ):
        assert shown in page, shown
    english = visible_text(client_for(ada, "en").get(f"/sign/{asked(power_bank).public_id}"))
    for shown in (
        "CN¥99.00 per order",
        "3 days after the due date",
        "Sandbox bank card",
        "Agree and open",
    ):
        assert shown in english, shown


def test_late_fees_are_shown_if_there_are_any(power_bank: Shop, ada: Person) -> None:
    merchants.change_service(
        power_bank.merchant.id,
        power_bank.service.id,
        {"late_fee_daily_bps": 5, "late_fee_cap_bps": 1000},
        by=BY,
        at=NOON,
    )
    page = visible_text(client_for(ada).get(f"/sign/{asked(power_bank).public_id}"))
    for shown in (
        *("每日按未付金额的 0.05% 计收，合计最高 10%", "按时付款的年化成本 0%", "逾期期间的年化成本 18.25%"),
        "单利，费用不再计费，每日 0.05% × 365 天 = 18.25%。 实际最多计收 200 天，到上限即止。",
        "例如 ¥99.00 未付：逾期 30 天为 ¥1.48，最高不超过 ¥9.90。",
    ):
        assert shown in page, shown


def test_the_late_fee_is_shown_as_limited_by_the_policy(power_bank: Shop, ada: Person) -> None:
    terms = {"grace": timedelta(), "late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, terms, by=BY, at=NOON)
    path = f"/sign/{asked(power_bank).public_id}"
    publish_late_policy(NOON - timedelta(days=400), grace_hours_least=120, daily_bps_most=5, cap_bps_most=1000)
    page = visible_text(client_for(ada).get(path))
    for shown in ("应付时间后 5 天", "每日按未付金额的 0.05% 计收，合计最高 10%", "逾期期间的年化成本 18.25%"):
        assert shown in page, shown
    publish_late_policy(NOON - timedelta(days=400), daily_bps_most=0)
    page = visible_text(client_for(ada).get(path))
    assert "没有需要计算的费用" in page


def test_a_service_is_opened_and_the_person_redirected(power_bank: Shop, ada: Person) -> None:
    agreement = asked(power_bank)
    browser, path = client_for(ada), f"/sign/{agreement.public_id}"
    for _click in range(2):
        assert accept_terms(browser, path)["Location"] == f"{path}/result"
    assert state_of(agreement) == "active"
    assert agreement.history.get(kind="activated").by == f"person:{ada.public_id}"
    assert not Wallet.objects.filter(person=ada).exists()  # nobody asked for one
    assert browser.get(path)["Location"] == f"{path}/result"
    done = browser.get(f"{path}/result")
    assert "来电充电宝 已开通" in visible_text(done)
    assert "返回 来电充电宝（shop.example）" in visible_text(done)
    assert f'href="{path}/back"' in done.content.decode()
    assert "信用分 720，额度 ¥10,000.00，其中已用 ¥0.00" in visible_text(done)


def test_an_unverified_person_verifies_their_identity_first(power_bank: Shop, newcomer: Person) -> None:
    agreement = asked(power_bank)
    browser, path = client_for(newcomer), f"/sign/{agreement.public_id}"
    page = visible_text(browser.get(path))
    assert "请先完成实名认证" in page
    assert "同意并开通" not in page

    wrong = browser.post(f"{path}/identity", {"name": "张三", "id_number": "110105194912310021"})
    assert wrong.status_code == 422
    assert "身份证号码有误" in visible_text(wrong)
    child = "110105201512310" + "02"
    minor = browser.post(f"{path}/identity", {"name": "张三", "id_number": child + rules.id_check_character(child)})
    assert (minor.status_code, "须年满 18 周岁" in visible_text(minor)) == (403, True)
    nameless = browser.post(f"{path}/identity", {"name": "\0", "id_number": ADULT})
    assert nameless.status_code == 422

    assert browser.post(f"{path}/identity", {"name": "张三", "id_number": ADULT.lower()})["Location"] == path
    assert browser.post(f"{path}/identity", {"name": "李四", "id_number": ADULT})["Location"] == path
    assert "签约人：张*" in visible_text(browser.get(path))
    assert accept_terms(browser, path)["Location"] == f"{path}/result"
    assert state_of(agreement) == "active"


def test_an_id_number_belongs_to_one_person(power_bank: Shop, newcomer: Person) -> None:
    other = accounts.register_person("+8613812341235", realm_id=power_bank.realm_id, by=BY, at=NOON)
    accounts.verify_identity(other.id, "张三", ADULT, by=BY, at=NOON)
    path = f"/sign/{asked(power_bank).public_id}"
    answer = client_for(newcomer).post(f"{path}/identity", {"name": "张三", "id_number": ADULT})
    assert answer.status_code == 409
    assert "这个身份证号码已用于其他账号" in visible_text(answer)


def test_identity_verification_is_rate_limited_per_person(power_bank: Shop, newcomer: Person) -> None:
    cache.clear()
    path = f"/sign/{asked(power_bank).public_id}"
    browsers = [client_for(newcomer), client_for(newcomer)]
    tries = [browsers[n % 2].post(f"{path}/identity", {"name": "张三", "id_number": f"{n}"}) for n in range(10)]
    assert [answer.status_code for answer in tries] == [422] * 10
    with assert_unchanged():
        stopped = browsers[0].post(f"{path}/identity", {"name": "张三", "id_number": ADULT})
    assert (stopped.status_code, "请明天再试" in visible_text(stopped)) == (429, True)
    other = accounts.register_person("+8613812341235", realm_id=power_bank.realm_id, by=BY, at=NOON)
    assert client_for(other).post(f"{path}/identity", {"name": "张三", "id_number": ADULT})["Location"] == path
    cache.clear()


def test_a_refusal_shows_reasons_and_next_steps(power_bank: Shop, ada: Person) -> None:
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, {"score_min": 900}, by=BY, at=NOON)
    Profile.objects.filter(person=ada).update(overdue_orders=1)
    agreement = asked(power_bank)
    browser, path = client_for(ada), f"/sign/{agreement.public_id}"
    assert accept_terms(browser, path)["Location"] == f"{path}/result"
    page = visible_text(browser.get(f"{path}/result"))
    for shown in (
        "暂时无法为您开通",
        "此服务要求信用分达到 900，您目前为 720",
        "您有逾期未付的订单",
        "返回 来电充电宝",
        "查看评估依据并提出异议",
    ):
        assert shown in page, shown
    decision = Decision.objects.get(agreement=agreement)
    assert "提出异议" in visible_text(browser.get(f"/credit/{decision.public_id}"))
    assert state_of(agreement) == "pending"
    assert Decision.objects.filter(agreement=agreement, approved=False).count() == 1
    Profile.objects.filter(person=ada).update(overdue_orders=0)


def test_an_agreement_of_another_realm_is_not_shown(power_bank: Shop, shop: Shop, ada: Person) -> None:
    living = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    sandboxed = asked(power_bank)
    signed = asked(power_bank, ref="u-2")
    credit.sign_agreement(signed.id, ada.id, by=BY, at=NOON)
    missing = client_for(living).get("/sign/agr_" + "0" * 32)
    for person, agreement in ((living, sandboxed), (make_person(shop), sandboxed), (make_person(power_bank), signed)):
        path = f"/sign/{agreement.public_id}"
        for answer in (
            client_for(person).get(path),
            accept_terms(client_for(person), path),
            client_for(person).get(f"{path}/result"),
            client_for(person).post(f"{path}/identity", {"name": "张三", "id_number": ADULT}),
        ):
            said = person == living and answer.wsgi_request.path == path
            assert answer.status_code == 404
            assert "这是沙箱链接" in visible_text(answer) if said else answer.content == missing.content
    assert state_of(sandboxed) == "pending"


def test_a_real_person_opens_a_live_service(power_bank: Shop) -> None:
    service = merchants.offer_service(
        power_bank.live.id,
        {"name": "来电", "mode": "dynamic", "ceiling_minor": 9900, "currency": "CNY"},
        by=BY,
        at=NOON,
    )
    agreement = credit.request_agreement(power_bank.live.id, service.id, "u-1", by=BY, at=NOON)
    living = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    browser, path = client_for(living), f"/sign/{agreement.public_id}"
    browser.post(f"{path}/identity", {"name": "张三", "id_number": ADULT})
    accept_terms(browser, path)
    assert state_of(agreement) == "active"
    assert [i.channel for i in living.instruments.all()] == ["wallet"]


def test_a_withdrawn_or_opened_agreement_says_so(power_bank: Shop, ada: Person) -> None:
    withdrawn, first, second = (asked(power_bank, ref=f"u-{n}") for n in range(3))
    browser = client_for(ada)
    credit.stop_agreement(withdrawn.id, by=BY, at=NOON)
    gone = browser.get(f"/sign/{withdrawn.public_id}")
    assert (gone.status_code, "此开通请求已失效" in visible_text(gone)) == (410, True)
    assert accept_terms(browser, f"/sign/{withdrawn.public_id}")["Location"] == f"/sign/{withdrawn.public_id}"
    accept_terms(browser, f"/sign/{first.public_id}")
    assert "您已开通此服务" in visible_text(browser.get(f"/sign/{second.public_id}"))
    assert accept_terms(browser, f"/sign/{second.public_id}")["Location"] == f"/sign/{second.public_id}"
    assert state_of(second) == "pending"
    browser.post(f"/services/{first.public_id}/stop")
    assert "来电充电宝 已停用" in visible_text(browser.get(f"/sign/{first.public_id}/result"))


def test_the_return_url_has_to_be_a_web_address() -> None:
    def back(url: str) -> str:
        return signed_return_url(Agreement(return_url=url, state="active"), at=NOON)

    assert back("http://shop.example:8080/a").startswith("http://shop.example:8080/a?agreement=agr_")
    for url in (
        *("", "shop.example", "//shop.example", "/orders/", "javascript:alert(1)", "JavaScript://x/%0aalert(1)"),
        *("data:text/html,x", "ftp://shop.example/", "https://", "https:///x", "https://bank@evil.example/"),
        *("http://[::1", "https://user:word@shop.example/", "java\nscript:alert(1)"),
    ):
        assert back(url) == "", url


def test_the_return_url_is_never_taken_from_the_request(power_bank: Shop, ada: Person) -> None:
    path = f"/sign/{asked(power_bank, return_url='').public_id}"
    browser = client_for(ada)
    browser.post(f"{path}?return_url=https://evil.example&next=https://evil.example")
    page = browser.get(f"{path}/result?return_url=https://evil.example&next=https://evil.example").content.decode()
    assert 'href="https://evil.example' not in page
    answer = browser.post("/language", {"language": "en", "next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_sign_in_comes_first_and_redirects_back(power_bank: Shop) -> None:
    path = f"/sign/{asked(power_bank).public_id}"
    answer = Client().get(path)
    assert answer["Location"] == f"/account/login/?next={path}"
    assert f'value="{path}"' in Client().get(answer["Location"]).content.decode()
