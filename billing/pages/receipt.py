"""An order's receipt: to read and print, and as a PDF to keep."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.visitor import Visitor, for_person
from billing.pages.order import mine
from billing.receipt import paper_of, receipt_of
from kernel.paper import Size, pdf_of


@require_safe
@for_person
def receipt(visitor: Visitor, order: str) -> HttpResponse:
    """The receipt as a page; printed it is the paper alone."""
    found = receipt_of(mine(visitor, order), at=visitor.at)
    return visitor.show("billing/receipt.html", paper=paper_of(found), order=found.order)


@require_safe
@for_person
def receipt_pdf(visitor: Visitor, order: str) -> HttpResponse:
    """The same as a PDF: on A4, or as wide as a phone."""
    found = receipt_of(mine(visitor, order), at=visitor.at)
    size = Size.PHONE if visitor.request.GET.get("size") == "phone" else Size.A4
    answer = HttpResponse(pdf_of(paper_of(found, size)), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="receipt-{found.order.public_id}.pdf"'
    return answer
