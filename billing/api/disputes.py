"""/v1/disputes"""

from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing import dispute_queries
from billing.refusals import DisputeClosed, EvidenceInvalid
from billing.services.dispute_evidence import Evidence, submit_evidence
from billing.wire import DisputeOut, dispute_out
from kernel.openapi import operation
from kernel.paging import LIMIT_MAX, paginate
from kernel.refusal import NotFound, refusals_in_field
from kernel.wire import Wire
from merchants.access import InsufficientScope, MerchantView, json_response
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
        response=DisputeList,
        query=DisputeQuery,
        refusals=[InsufficientScope],
    )
    def get(self, request: Request) -> HttpResponse:
        params = DisputeQuery.parse_query(request)
        with refusals_in_field("?order", NotFound):
            order_id = self.parse_id("ord", params.order) if params.order is not None else None
        rows = dispute_queries.disputes_of(self.merchant_id, state=params.state, order_id=order_id)
        page_rows, cursor = paginate(rows, cursor=params.cursor, limit=params.limit, is_small=True)
        data = [dispute_out(part) for part in dispute_queries.merchant_disputes(self.merchant_id, page_rows)]
        return json_response(DisputeList(data=data, next_cursor=cursor))


class OneDispute(MerchantView):
    """/v1/disputes/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ}

    @operation("get_dispute", "Get a dispute", response=DisputeOut, refusals=[InsufficientScope])
    def get(self, _request: Request, dispute: str) -> HttpResponse:
        row = dispute_queries.dispute_of(self.merchant_id, self.parse_id("dsp", dispute))
        return json_response(dispute_out(dispute_queries.merchant_dispute(self.merchant_id, row)))


class DisputeEvidence(MerchantView):
    """/v1/disputes/{id}/evidence"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}

    @operation(
        "answer_dispute",
        "Submit evidence, once, before `answer_until`; it is sent once all merchants concerned have answered",
        request=NewEvidence,
        response=DisputeOut,
        refusals=[InsufficientScope, DisputeClosed, EvidenceInvalid],
        idempotent=True,
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
        body = NewEvidence.parse(request)
        evidence = Evidence(
            statement=body.statement,
            communication=body.communication,
            carrier=body.carrier,
            tracking_number=body.tracking_number,
        )
        row = submit_evidence(self.parse_id("dsp", dispute), self.merchant_id, evidence, by=self.actor, at=self.now())
        return json_response(dispute_out(dispute_queries.merchant_dispute(self.merchant_id, row)))
