"""Opening a service on its page: the terms, the real-name step, yes or no, and the way back to the merchant."""

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
from credit.returns import way_back
from kernel.models import LIVE
from merchants import services as merchants
from tests.conftest import BY, NOON, Shop, someone
from tests.late import permit
from tests.stillness import nothing_moves
from tests.visiting import agrees, it_is, visiting, words

SHOP = "https://shop.example/done?cart=7&state=evil#top"
ADULT = "11010519491231002X"


def asked(shop: Shop, return_url: str = SHOP, ref: str = "u-1") -> Agreement:
    """The merchant has sent the person to our page."""
    return credit.request_agreement(shop.merchant.id, shop.service.id, ref, return_url=return_url, by=BY, at=NOON)


@pytest.fixture
def newcomer(power_bank: Shop) -> Person:
    """Somebody whose name we do not know yet."""
    person = accounts.register_person("+8613812341234", realm_id=power_bank.realm_id, by=BY, at=NOON)
    it_is(NOON, person)
    return person


def state_of(agreement: Agreement) -> str:
    return str(Agreement.objects.values_list("state", flat=True).get(pk=agreement.pk))


def test_the_terms_stand_there_before_anybody_agrees(power_bank: Shop, ada: Person) -> None:
    page = words(visiting(ada).get(f"/sign/{asked(power_bank).public_id}"))
    for shown in (
        *("开通 来电充电宝", "每笔订单最高 ¥99.00", "现在不扣款", "扣款方式 沙箱银行卡", "应付时间后 3 天仍未付清"),
        *("利息 没有", "逾期费（仅在逾期后） 没有", "按时付款的年化成本 0%", "您只付所用服务的价款"),
        *("如何停用", "签约人：艾*", "同意并开通", "不开通，返回 来电充电宝"),
    ):
        assert shown in page, shown
    english = words(visiting(ada, "en").get(f"/sign/{asked(power_bank).public_id}"))
    for shown in (
        "CN¥99.00 per order",
        "3 days after the due date",
        "Sandbox bank card",
        "Agree and open",
    ):
        assert shown in english, shown


def test_late_fees_are_named_where_there_are_some(power_bank: Shop, ada: Person) -> None:
    merchants.change_service(
        power_bank.merchant.id,
        power_bank.service.id,
        {"late_fee_daily_bps": 5, "late_fee_cap_bps": 1000},
        by=BY,
        at=NOON,
    )
    page = words(visiting(ada).get(f"/sign/{asked(power_bank).public_id}"))
    for shown in (
        *("每日按未付金额的 0.05% 计收，合计最高 10%", "按时付款的年化成本 0%", "逾期期间的年化成本 18.25%"),
        "单利，费用不再计费，每日 0.05% × 365 天 = 18.25%。 实际最多计收 200 天，到上限即止。",
        "例如 ¥99.00 未付：逾期 30 天为 ¥1.48，最高不超过 ¥9.90。",
    ):
        assert shown in page, shown


def test_what_would_really_be_charged_is_named_where_the_house_permits_less(power_bank: Shop, ada: Person) -> None:
    terms = {"grace": timedelta(), "late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, terms, by=BY, at=NOON)
    path = f"/sign/{asked(power_bank).public_id}"
    permit(NOON - timedelta(days=400), grace_hours_least=120, daily_bps_most=5, cap_bps_most=1000)
    page = words(visiting(ada).get(path))
    for shown in ("应付时间后 5 天", "每日按未付金额的 0.05% 计收，合计最高 10%", "逾期期间的年化成本 18.25%"):
        assert shown in page, shown
    permit(NOON - timedelta(days=400), daily_bps_most=0)
    page = words(visiting(ada).get(path))
    assert "没有需要计算的费用" in page


def test_a_person_opens_the_service_and_goes_back(power_bank: Shop, ada: Person) -> None:
    agreement = asked(power_bank)
    browser, path = visiting(ada), f"/sign/{agreement.public_id}"
    for _click in range(2):
        assert agrees(browser, path)["Location"] == f"{path}/result"
    assert state_of(agreement) == "active"
    assert agreement.history.get(kind="activated").by == f"person:{ada.public_id}"
    assert not Wallet.objects.filter(person=ada).exists()  # nobody asked for one
    assert browser.get(path)["Location"] == f"{path}/result"
    done = browser.get(f"{path}/result")
    assert "来电充电宝 已开通" in words(done)
    assert "返回 来电充电宝（shop.example）" in words(done)
    assert f'href="{path}/back"' in done.content.decode()
    assert "信用分 720，额度 ¥10,000.00，其中已用 ¥0.00" in words(done)


def test_who_we_do_not_know_is_asked_first(power_bank: Shop, newcomer: Person) -> None:
    agreement = asked(power_bank)
    browser, path = visiting(newcomer), f"/sign/{agreement.public_id}"
    page = words(browser.get(path))
    assert "请先完成实名认证" in page
    assert "同意并开通" not in page

    wrong = browser.post(f"{path}/identity", {"name": "张三", "id_number": "110105194912310021"})
    assert wrong.status_code == 422
    assert "身份证号码有误" in words(wrong)
    child = "110105201512310" + "02"
    minor = browser.post(f"{path}/identity", {"name": "张三", "id_number": child + rules.check_character(child)})
    assert (minor.status_code, "须年满 18 周岁" in words(minor)) == (403, True)
    nameless = browser.post(f"{path}/identity", {"name": "\0", "id_number": ADULT})
    assert nameless.status_code == 422

    assert browser.post(f"{path}/identity", {"name": "张三", "id_number": ADULT.lower()})["Location"] == path
    assert browser.post(f"{path}/identity", {"name": "李四", "id_number": ADULT})["Location"] == path
    assert "签约人：张*" in words(browser.get(path))
    assert agrees(browser, path)["Location"] == f"{path}/result"
    assert state_of(agreement) == "active"


def test_one_id_number_is_one_person(power_bank: Shop, newcomer: Person) -> None:
    other = accounts.register_person("+8613812341235", realm_id=power_bank.realm_id, by=BY, at=NOON)
    accounts.verify_identity(other.id, "张三", ADULT, by=BY, at=NOON)
    path = f"/sign/{asked(power_bank).public_id}"
    answer = visiting(newcomer).post(f"{path}/identity", {"name": "张三", "id_number": ADULT})
    assert answer.status_code == 409
    assert "这个身份证号码已用于其他账号" in words(answer)


def test_whoever_tries_one_id_number_after_another_is_stopped_in_any_browser_and_nobody_else(
    power_bank: Shop, newcomer: Person
) -> None:
    cache.clear()
    path = f"/sign/{asked(power_bank).public_id}"
    browsers = [visiting(newcomer), visiting(newcomer)]
    tries = [browsers[n % 2].post(f"{path}/identity", {"name": "张三", "id_number": f"{n}"}) for n in range(10)]
    assert [answer.status_code for answer in tries] == [422] * 10
    with nothing_moves():
        stopped = browsers[0].post(f"{path}/identity", {"name": "张三", "id_number": ADULT})
    assert (stopped.status_code, "请明天再试" in words(stopped)) == (429, True)
    other = accounts.register_person("+8613812341235", realm_id=power_bank.realm_id, by=BY, at=NOON)
    assert visiting(other).post(f"{path}/identity", {"name": "张三", "id_number": ADULT})["Location"] == path
    cache.clear()


def test_a_refusal_has_reasons_and_a_way_on(power_bank: Shop, ada: Person) -> None:
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, {"score_min": 900}, by=BY, at=NOON)
    Profile.objects.filter(person=ada).update(overdue_orders=1)
    agreement = asked(power_bank)
    browser, path = visiting(ada), f"/sign/{agreement.public_id}"
    assert agrees(browser, path)["Location"] == f"{path}/result"
    page = words(browser.get(f"{path}/result"))
    for shown in (
        "暂时无法为您开通",
        "此服务要求信用分达到 900，您目前为 720",
        "您有逾期未付的订单",
        "返回 来电充电宝",
        "查看评估依据并提出异议",
    ):
        assert shown in page, shown
    decision = Decision.objects.get(agreement=agreement)
    assert "提出异议" in words(browser.get(f"/credit/{decision.public_id}"))
    assert state_of(agreement) == "pending"
    assert Decision.objects.filter(agreement=agreement, approved=False).count() == 1
    Profile.objects.filter(person=ada).update(overdue_orders=0)


def test_an_agreement_of_another_realm_tells_no_more_than_that_it_is_a_sandboxs(
    power_bank: Shop, shop: Shop, ada: Person
) -> None:
    living = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    sandboxed = asked(power_bank)
    signed = asked(power_bank, ref="u-2")
    credit.sign_agreement(signed.id, ada.id, by=BY, at=NOON)
    missing = visiting(living).get("/sign/agr_" + "0" * 32)
    for person, agreement in ((living, sandboxed), (someone(shop), sandboxed), (someone(power_bank), signed)):
        path = f"/sign/{agreement.public_id}"
        for answer in (
            visiting(person).get(path),
            agrees(visiting(person), path),
            visiting(person).get(f"{path}/result"),
            visiting(person).post(f"{path}/identity", {"name": "张三", "id_number": ADULT}),
        ):
            said = person == living and answer.wsgi_request.path == path
            assert answer.status_code == 404
            assert "这是沙箱链接" in words(answer) if said else answer.content == missing.content
    assert state_of(sandboxed) == "pending"


def test_a_living_person_opens_a_service_of_the_live_realm(power_bank: Shop) -> None:
    service = merchants.offer_service(
        power_bank.live.id,
        {"name": "来电", "mode": "dynamic", "ceiling_minor": 9900, "currency": "CNY"},
        by=BY,
        at=NOON,
    )
    agreement = credit.request_agreement(power_bank.live.id, service.id, "u-1", by=BY, at=NOON)
    living = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    browser, path = visiting(living), f"/sign/{agreement.public_id}"
    browser.post(f"{path}/identity", {"name": "张三", "id_number": ADULT})
    agrees(browser, path)
    assert state_of(agreement) == "active"
    assert [i.channel for i in living.instruments.all()] == ["wallet"]


def test_what_was_withdrawn_or_opened_before_says_so(power_bank: Shop, ada: Person) -> None:
    withdrawn, first, second = (asked(power_bank, ref=f"u-{n}") for n in range(3))
    browser = visiting(ada)
    credit.stop_agreement(withdrawn.id, by=BY, at=NOON)
    gone = browser.get(f"/sign/{withdrawn.public_id}")
    assert (gone.status_code, "此开通请求已失效" in words(gone)) == (410, True)
    assert agrees(browser, f"/sign/{withdrawn.public_id}")["Location"] == f"/sign/{withdrawn.public_id}"
    agrees(browser, f"/sign/{first.public_id}")
    assert "您已开通此服务" in words(browser.get(f"/sign/{second.public_id}"))
    assert agrees(browser, f"/sign/{second.public_id}")["Location"] == f"/sign/{second.public_id}"
    assert state_of(second) == "pending"
    browser.post(f"/services/{first.public_id}/stop")
    assert "来电充电宝 已停用" in words(browser.get(f"/sign/{first.public_id}/result"))


def test_the_way_back_is_the_merchants_stored_web_address_and_nothing_else() -> None:
    def back(url: str) -> str:
        return way_back(Agreement(return_url=url, state="active"), at=NOON)

    assert back("http://shop.example:8080/a").startswith("http://shop.example:8080/a?agreement=agr_")
    for url in (
        *("", "shop.example", "//shop.example", "/orders/", "javascript:alert(1)", "JavaScript://x/%0aalert(1)"),
        *("data:text/html,x", "ftp://shop.example/", "https://", "https:///x", "https://bank@evil.example/"),
        *("http://[::1", "https://user:word@shop.example/", "java\nscript:alert(1)"),
    ):
        assert back(url) == "", url


def test_the_way_back_is_never_taken_from_the_request(power_bank: Shop, ada: Person) -> None:
    path = f"/sign/{asked(power_bank, return_url='').public_id}"
    browser = visiting(ada)
    browser.post(f"{path}?return_url=https://evil.example&next=https://evil.example")
    page = browser.get(f"{path}/result?return_url=https://evil.example&next=https://evil.example").content.decode()
    assert 'href="https://evil.example' not in page
    answer = browser.post("/language", {"language": "en", "next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_signing_in_comes_first_and_leads_back(power_bank: Shop) -> None:
    path = f"/sign/{asked(power_bank).public_id}"
    answer = Client().get(path)
    assert answer["Location"] == f"/account/login/?next={path}"
    assert f'value="{path}"' in Client().get(answer["Location"]).content.decode()
