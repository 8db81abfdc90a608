"""/v1/settlements: what was paid out, and the lines it consists of."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from msgspec import Meta, to_builtins
from rest_framework.request import Request

from billing import settlement_proofs, settlement_queries
from billing.models import Settlement
from billing.wire import (
    ClosedDayOut,
    ProvedLineOut,
    SettlementLineOut,
    SettlementOut,
    closed_day_out,
    proved_line_out,
    settlement_line_out,
    settlement_out,
)
from kernel.csvfile import csv_lines
from kernel.ids import public
from kernel.models import LIVE
from kernel.openapi import operation
from kernel.paging import LIMIT_MAX, paginate
from kernel.wire import Wire
from merchants.access import InsufficientScope, MerchantView, json_response
from merchants.rules import Scope

CSV = "text/csv"


class SettlementQuery(Wire):
    """Which settlements, and which page of them."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None
    state: Literal["closed", "paying", "paid", "failed", "carried"] | None = None


class LineQuery(Wire):
    """Which page of lines. A file has all of them, whatever is asked for here."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None


class SettlementList(Wire):
    """A page of settlements, newest first."""

    data: list[SettlementOut]
    next_cursor: str | None


class SettlementLineList(Wire):
    """A page of a settlement's lines, newest first."""

    data: list[SettlementLineOut]
    next_cursor: str | None


class ProofQuery(Wire):
    """Which page of lines."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None


class SettlementProof(Wire):
    """That lines of a settlement stand in closed days of the book: `docs/verify_settlement.py` checks it."""

    object: Literal["settlement_proof"]
    livemode: bool
    settlement: str
    merchant: str
    currency: str
    days: list[ClosedDayOut]
    data: list[ProvedLineOut]
    next_cursor: str | None


class Settlements(MerchantView):
    """/v1/settlements"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SETTLEMENTS_READ}

    @operation(
        "list_settlements",
        "List settlements",
        response=SettlementList,
        query=SettlementQuery,
        refusals=[InsufficientScope],
    )
    def get(self, request: Request) -> HttpResponse:
        params = SettlementQuery.parse_query(request)
        rows = settlement_queries.settlements_of(self.merchant_id, state=params.state)
        found, cursor = paginate(rows, cursor=params.cursor, limit=params.limit)
        return json_response(SettlementList(data=[settlement_out(row) for row in found], next_cursor=cursor))


class OneSettlement(MerchantView):
    """/v1/settlements/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SETTLEMENTS_READ}

    @operation("get_settlement", "Get a settlement", response=SettlementOut, refusals=[InsufficientScope])
    def get(self, _request: Request, settlement: str) -> HttpResponse:
        return json_response(
            settlement_out(settlement_queries.settlement_of(self.merchant_id, self.parse_id("stl", settlement)))
        )


class SettlementLines(MerchantView):
    """/v1/settlements/{id}/lines"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SETTLEMENTS_READ}

    @operation(
        "list_settlement_lines",
        "List the lines of a settlement; `Accept: text/csv` returns all of them as a file",
        response=SettlementLineList,
        query=LineQuery,
        refusals=[InsufficientScope],
        file_types=[CSV],
    )
    def get(self, request: Request, settlement: str) -> HttpResponseBase:
        params = LineQuery.parse_query(request)
        own_settlement = settlement_queries.settlement_of(self.merchant_id, self.parse_id("stl", settlement))
        if wants_csv(request._request):  # noqa: SLF001  Django's own
            return csv_response(own_settlement)
        rows, cursor = paginate(
            settlement_queries.lines_of(own_settlement), cursor=params.cursor, limit=params.limit, owner=own_settlement
        )
        data = [settlement_line_out(line, own_settlement.currency) for line in settlement_queries.attach_orders(rows)]
        response = json_response(SettlementLineList(data=data, next_cursor=cursor))
        response["Vary"] = "Accept"
        return response


class ProofOfSettlement(MerchantView):
    """/v1/settlements/{id}/proof"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SETTLEMENTS_READ}

    @operation(
        "get_settlement_proof",
        "Prove that a settlement's lines are in closed days of the ledger",
        response=SettlementProof,
        query=ProofQuery,
        refusals=[InsufficientScope],
    )
    def get(self, request: Request, settlement: str) -> HttpResponse:
        params = ProofQuery.parse_query(request)
        own_settlement = settlement_queries.settlement_of(self.merchant_id, self.parse_id("stl", settlement))
        rows, cursor = paginate(
            settlement_queries.lines_of(own_settlement), cursor=params.cursor, limit=params.limit, owner=own_settlement
        )
        lines = settlement_proofs.prove_lines(own_settlement, rows)
        return json_response(
            SettlementProof(
                object="settlement_proof",
                livemode=own_settlement.realm_id == LIVE,
                settlement=own_settlement.public_id,
                merchant=public("mch", own_settlement.merchant_id),
                currency=own_settlement.currency,
                days=[closed_day_out(day) for day in settlement_proofs.closed_days_since(own_settlement, lines)],
                data=[proved_line_out(line) for line in lines],
                next_cursor=cursor,
            )
        )


def wants_csv(request: HttpRequest) -> bool:
    """Whether the caller prefers CSV to JSON."""
    csv = f"{CSV}; charset=utf-8"  # as our own response names it
    return request.get_preferred_type(["application/json", CSV, csv]) in (CSV, csv)


def csv_response(settlement: Settlement) -> StreamingHttpResponse:
    """All lines of a settlement as CSV, streamed from the database."""
    response = StreamingHttpResponse(csv_lines(_csv_rows(settlement)), content_type=f"{CSV}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{settlement.public_id}.csv"'
    response["Vary"] = "Accept"
    return response


def _csv_rows(settlement: Settlement) -> Iterator[list[str]]:
    """Rows with the API's field names and minor units, for programs. The console has a file for spreadsheets."""
    names = SettlementLineOut.__struct_fields__
    yield list(names)
    for line in settlement_queries.iterate_lines(settlement):
        values = to_builtins(settlement_line_out(line, settlement.currency))
        yield ["" if values[name] is None else str(values[name]) for name in names]
