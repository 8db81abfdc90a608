"""Staff read and answer problem reports of their own orders only."""

from orders import services as orders
from orders.models import Concern, Order
from tests.browsing import form_token, visible_text
from tests.conftest import BY, NOON
from tests.portal.conftest import Company
from tests.unchanged import assert_unchanged


def test_a_merchant_reads_along_and_answers(firm: Company, rival: Company, owed: Order) -> None:
    page = f"{firm.at('test')}orders/{owed.public_id}"
    client = firm.browser("developer")
    assert "没有待答复的反馈" in visible_text(client.get(f"{page}/answer"))
    orders.report_problem(owed.id, "wrong_amount", "多收了 <b>两元</b>", by=BY, at=NOON)
    shown = client.get(page)
    assert "用户反馈了问题" in visible_text(shown)
    assert b"<b>" not in shown.content
    form = {"token": form_token(client.get(f"{page}/answer")), "text": "已核对，无误"}
    for _click in range(2):
        assert client.post(f"{page}/answer", form).status_code == 302
    assert list(Concern.objects.get().messages.values_list("author", flat=True)) == ["person", "merchant"]
    assert "已核对，无误" in visible_text(client.get(page))
    stranger = f"{rival.at('test')}orders/{owed.public_id}/answer"
    others, viewer = rival.browser("owner"), firm.browser("viewer")
    with assert_unchanged("django_session"):
        assert others.post(stranger, form).status_code == 404
        assert viewer.post(f"{page}/answer", form).status_code == 403
    orders.withdraw_concern(Concern.objects.get().id, by=BY, at=NOON)
    late = client.post(f"{page}/answer", {"token": "1" * 24, "text": "x"})
    assert (late.status_code, "已结束" in visible_text(late)) == (422, True)
