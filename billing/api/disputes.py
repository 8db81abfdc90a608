"""/v1/disputes"""

from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing import disputed
from billing.refusals import DisputeClosed, EvidenceInvalid
from billing.services.answers import Evidence, answer_dispute
from billing.wire import DisputeOut, dispute_out
from kernel.contract import operation
from kernel.paging import LIMIT_MAX, page
from kernel.refusal import NotFound, in_field
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, answer
from merchants.rules import Scope


class DisputeQuery(Wire):
    """Which of them."""

    state: Literal["open", "contested", "won", "lost"] | None = None
    order: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None


class DisputeList(Wire):
    """A page of disputes, newest first."""

    data: list[DisputeOut]
    next_cursor: str | None


class NewEvidence(Wire):
    """Evidence against a dispute. It is sent to the channel as written and cannot be changed afterwards."""

    statement: Annotated[str, Meta(min_length=1, max_length=1000)]
    communication: Annotated[str, Meta(max_length=600, description="Communication with the customer.")] = ""
    carrier: Annotated[str, Meta(max_length=40)] = ""
    tracking_number: Annotated[str, Meta(pattern=r"^[0-9A-Za-z\-]{0,40}$(?!\n)")] = ""


class Disputes(MerchantView):
    """/v1/disputes"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ}

    @operation(
        "list_disputes",
        "List disputes of your orders",
        gives=DisputeList,
        query=DisputeQuery,
        refuses=[NotAllowed],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = DisputeQuery.parse_query(request)
        with in_field("?order", NotFound):
            order_id = self.named("ord", asked.order) if asked.order is not None else None
        rows = disputed.disputes_of(self.merchant_id, state=asked.state, order_id=order_id)
        found, cursor = page(rows, cursor=asked.cursor, limit=asked.limit, few=True)
        data = [dispute_out(part) for part in disputed.parts_of(self.merchant_id, found)]
        return answer(DisputeList(data=data, next_cursor=cursor))


class OneDispute(MerchantView):
    """/v1/disputes/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ}

    @operation("get_dispute", "Get a dispute", gives=DisputeOut, refuses=[NotAllowed])
    def get(self, _request: Request, dispute: str) -> HttpResponse:
        found = disputed.dispute_of(self.merchant_id, self.named("dsp", dispute))
        return answer(dispute_out(disputed.part_of(self.merchant_id, found)))


class DisputeEvidence(MerchantView):
    """/v1/disputes/{id}/evidence"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}

    @operation(
        "answer_dispute",
        "Submit evidence, once, before `answer_until`; it is sent once all merchants concerned have answered",
        takes=NewEvidence,
        gives=DisputeOut,
        refuses=[NotAllowed, DisputeClosed, EvidenceInvalid],
        writes=True,
        examples=[
            (
                "It was delivered",
                {
                    "statement": "签收人为本人，签收单见附号。",
                    "carrier": "顺丰速运",
                    "tracking_number": "SF1020304050607",
                },
            )
        ],
    )
    def post(self, request: Request, dispute: str) -> HttpResponse:
        asked = NewEvidence.parse(request)
        told = Evidence(
            statement=asked.statement,
            communication=asked.communication,
            carrier=asked.carrier,
            tracking_number=asked.tracking_number,
        )
        found = answer_dispute(self.named("dsp", dispute), self.merchant_id, told, by=self.actor, at=self.now())
        return answer(dispute_out(disputed.part_of(self.merchant_id, found)))
