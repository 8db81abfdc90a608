"""An order's receipt as a page and as a PDF."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.visitor import Visitor, person_page
from billing.pages.order import own_order
from billing.receipt import build_receipt, receipt_document
from kernel.documents import Size, render_pdf


@require_safe
@person_page
def receipt(visitor: Visitor, order: str) -> HttpResponse:
    """The receipt as a page; printing it omits the navigation."""
    data = build_receipt(own_order(visitor, order), at=visitor.at)
    return visitor.render("billing/receipt.html", document=receipt_document(data), order=data.order)


@require_safe
@person_page
def receipt_pdf(visitor: Visitor, order: str) -> HttpResponse:
    """The receipt as a PDF, on A4 or in phone width (`?size=phone`)."""
    data = build_receipt(own_order(visitor, order), at=visitor.at)
    size = Size.PHONE if visitor.request.GET.get("size") == "phone" else Size.A4
    response = HttpResponse(render_pdf(receipt_document(data, size)), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="receipt-{data.order.public_id}.pdf"'
    return response
