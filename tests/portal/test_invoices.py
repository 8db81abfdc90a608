"""A merchant's invoices on their page, and each as a paper."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from billing.invoice_paper import invoice_paper
from billing.models import Invoice
from billing.services.invoice import invoice_due
from kernel.paper import Table, Totals
from tests.billing.bench import paid
from tests.portal.conftest import Company
from tests.settlement.bench import day_ends
from tests.settlement.test_invoices import NOVEMBER
from tests.visiting import words

pytestmark = pytest.mark.django_db


def test_its_pages_show_it_and_its_paper_is_the_same_bytes(firm: Company) -> None:
    paid(firm.shop, "50")
    day_ends(firm.shop, NOVEMBER)
    invoice_due(firm.shop.realm_id, at=NOVEMBER)
    invoice, client = Invoice.objects.get(), firm.browser("finance")
    with CaptureQueriesContext(connection) as asked:
        page = words(client.get(f"{firm.at('test')}invoices/"))
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
        paper = invoice_paper(invoice)
    (table,) = [block for block in paper.blocks if isinstance(block, Table)]
    (totals,) = [block for block in paper.blocks if isinstance(block, Totals)]
    assert [row[2:] for row in table.rows] == [("0.30", "–")]
    assert totals.rows[-1] == ("本月手续费", "¥0.30")
