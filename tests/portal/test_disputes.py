"""Staff see disputes of their orders and submit evidence once."""

from billing.models import Dispute
from merchants.models import Change
from tests.billing.test_dispute_evidence import make_dispute
from tests.browsing import form_token, visible_text
from tests.portal.conftest import Company
from tests.unchanged import assert_unchanged


def test_it_waits_on_the_first_page_and_is_answered_by_those_who_may(firm: Company) -> None:
    order, row = make_dispute(firm.shop, "6")
    client, home = firm.browser("finance"), firm.at("test")
    assert "有 1 笔拒付等待您答复" in visible_text(client.get(home))
    assert "用户称未收到商品或服务" in visible_text(client.get(f"{home}disputes/"))
    assert f"disputes/{row.public_id}" in client.get(f"{home}orders/{order.public_id}").content.decode()
    page = f"{home}disputes/{row.public_id}"
    assert "¥6.00" in visible_text(client.get(page))
    assert firm.browser("viewer").get(f"{page}/answer").status_code == 403
    with assert_unchanged("django_session", "kernel_idempotencykey"):
        for wrong in ({"statement": ""}, {"statement": "x", "tracking_number": "甲"}, {"statement": "x" * 1001}):
            sent = {"token": form_token(client.get(f"{page}/answer")), **wrong}
            assert client.post(f"{page}/answer", sent).status_code == 422
    sent = {
        "token": form_token(client.get(f"{page}/answer")),
        "statement": "本人签收<b>",
        "carrier": "顺丰",
        "tracking_number": "SF1",
    }
    for _ in range(2):
        assert client.post(f"{page}/answer", sent).status_code == 302
    row = Dispute.objects.get()
    said = row.answers.get()
    change = Change.objects.get(verb="dispute_answered")
    assert (row.state, said.statement, said.by) == ("contested", "本人签收<b>", change.by)
    shown = client.get(page)
    assert "渠道裁定中" in visible_text(shown)
    assert "本人签收&lt;b&gt;" in shown.content.decode()
    assert "等待您答复" not in visible_text(client.get(home))
    again = {**sent, "token": form_token(client.get(f"{page}/answer")), "statement": "改口"}
    assert client.post(f"{page}/answer", again).status_code == 422


def test_anothers_dispute_is_a_missing_one(firm: Company, rival: Company) -> None:
    _order, row = make_dispute(rival.shop, "6")
    client = firm.browser("owner")
    for page in ("", "/answer"):
        assert client.get(f"{firm.at('test')}disputes/{row.public_id}{page}").status_code == 404
    assert row.public_id not in client.get(f"{firm.at('test')}disputes/").content.decode()
