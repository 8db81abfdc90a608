"""What our services cost a merchant, month by month: a list, and each month as a paper."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from billing import statements
from billing.invoice_paper import invoice_paper
from kernel.paging import page as page_of
from kernel.paper import pdf_of
from portal.staff import Staff, page

INVOICES_A_PAGE = 24


@require_safe
@page("invoices")
def invoices(staff: Staff) -> HttpResponse:
    """Every month's, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    rows, further = page_of(statements.invoices_of(staff.merchant.id), cursor=cursor, limit=INVOICES_A_PAGE)
    return staff.show("portal/invoices.html", rows=rows, further=further, first=cursor is None)


@require_safe
@page("print_invoice")
def print_invoice(staff: Staff, invoice: str) -> HttpResponse:
    """One of them, to keep and to file."""
    found = statements.invoice_of(staff.merchant.id, staff.named("ivc", invoice))
    answer = HttpResponse(pdf_of(invoice_paper(found)), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="{found.number}.pdf"'
    return answer
