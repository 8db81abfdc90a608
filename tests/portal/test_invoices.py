"""A merchant's invoices: the list and the PDF."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from billing.invoice_document import invoice_document
from billing.models import Invoice
from billing.services.invoices import issue_due_invoices
from kernel.documents import Table, Totals
from tests.billing.helpers import paid_order
from tests.browsing import visible_text
from tests.portal.conftest import Company
from tests.settlement.helpers import settle_and_pay_out
from tests.settlement.test_invoices import NOVEMBER

pytestmark = pytest.mark.django_db


def test_its_pages_show_it_and_its_paper_is_the_same_bytes(firm: Company) -> None:
    paid_order(firm.shop, "50")
    settle_and_pay_out(firm.shop, NOVEMBER)
    issue_due_invoices(firm.shop.realm_id, at=NOVEMBER)
    invoice, client = Invoice.objects.get(), firm.browser("finance")
    with CaptureQueriesContext(connection) as asked:
        page = visible_text(client.get(f"{firm.at('test')}invoices/"))
    for text in ("INV-000001", "¥0.30"):
        assert text in page, text
    assert len(asked) < 20
    address = f"{firm.at('test')}invoices/{invoice.public_id}.pdf"
    answer = client.get(address)
    assert answer.content.startswith(b"%PDF")
    assert client.get(address).content == answer.content
    assert firm.browser("viewer").get(address).status_code == 403
    assert client.get(f"{firm.at('live')}invoices/{invoice.public_id}.pdf").status_code == 404
    with translation.override("zh-hans"):
        paper = invoice_document(invoice)
    (table,) = [block for block in paper.blocks if isinstance(block, Table)]
    (totals,) = [block for block in paper.blocks if isinstance(block, Totals)]
    assert [row[2:] for row in table.rows] == [("0.30", "–")]
    assert totals.rows[-1] == ("本月手续费", "¥0.30")
