"""/v1/orders/{id}/collect"""

from functools import partial
from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from billing.refusals import AboveLimits, NoInstrument, OrderPaused, TooOften
from billing.services import pay
from kernel.contract import Nothing, operation
from merchants.access import MerchantView, NotAllowed, answer
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals
from orders.models import Order
from orders.wire import OrderOut, order_out


class CollectOrder(MerchantView):
    """/v1/orders/{id}/collect"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}
    calls_outside = True

    @operation(
        "collect_order",
        "Attempt a deduction now; the platform's schedule does not change",
        takes=Nothing,
        gives=OrderOut,
        refuses=[
            NotAllowed,
            refusals.OrderState,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
            refusals.PaidByHand,
            refusals.PlanAgreed,
            refusals.NotDueYet,
            refusals.DayChosen,
            NoInstrument,
            AboveLimits,
            OrderPaused,
            TooOften,
        ],
        writes=True,
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        Nothing.parse(request)
        mine = orders.order_of(self.merchant_id, self.named("ord", order))
        pay.collect_now(mine.id, by=self.actor, at=self.now(), begun=lambda: self.begun(partial(self._shown, mine)))
        return self._shown(mine)

    def _shown(self, mine: Order) -> HttpResponse:
        sheet = orders.sheet_for(self.merchant_id, mine.id)
        return answer(order_out(sheet.order, sheet.obligations))
