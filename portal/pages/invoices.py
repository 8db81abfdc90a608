"""Monthly invoices for a merchant's fees: the list, and each as a PDF."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from billing import settlement_queries
from billing.invoice_document import invoice_document
from kernel.documents import render_pdf
from kernel.paging import paginate
from portal.staff import Staff, merchant_page

INVOICES_A_PAGE = 24


@require_safe
@merchant_page("invoices")
def invoice_list(staff: Staff) -> HttpResponse:
    """All invoices, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    rows, next_cursor = paginate(
        settlement_queries.invoices_of(staff.merchant.id), cursor=cursor, limit=INVOICES_A_PAGE
    )
    return staff.render("portal/invoices.html", rows=rows, next_cursor=next_cursor, is_first_page=cursor is None)


@require_safe
@merchant_page("print_invoice")
def print_invoice(staff: Staff, invoice: str) -> HttpResponse:
    """One invoice as a PDF."""
    found = settlement_queries.invoice_of(staff.merchant.id, staff.parse_id("ivc", invoice))
    response = HttpResponse(render_pdf(invoice_document(found)), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{found.number}.pdf"'
    return response
