"""/v1/settlements: what was paid out and why."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from msgspec import Meta, to_builtins
from rest_framework.request import Request

from billing import inclusion, statements
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
from kernel.contract import operation
from kernel.csvfile import csv_lines
from kernel.ids import public
from kernel.models import LIVE
from kernel.paging import LIMIT_MAX, page
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, answer
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
        "list_settlements", "List settlements", gives=SettlementList, query=SettlementQuery, refuses=[NotAllowed]
    )
    def get(self, request: Request) -> HttpResponse:
        asked = SettlementQuery.parse_query(request)
        rows = statements.settlements_of(self.merchant_id, state=asked.state)
        found, cursor = page(rows, cursor=asked.cursor, limit=asked.limit)
        return answer(SettlementList(data=[settlement_out(row) for row in found], next_cursor=cursor))


class OneSettlement(MerchantView):
    """/v1/settlements/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SETTLEMENTS_READ}

    @operation("get_settlement", "Get a settlement", gives=SettlementOut, refuses=[NotAllowed])
    def get(self, _request: Request, settlement: str) -> HttpResponse:
        return answer(settlement_out(statements.settlement_of(self.merchant_id, self.named("stl", settlement))))


class SettlementLines(MerchantView):
    """/v1/settlements/{id}/lines"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SETTLEMENTS_READ}

    @operation(
        "list_settlement_lines",
        "List the lines of a settlement; `Accept: text/csv` returns all of them as a file",
        gives=SettlementLineList,
        query=LineQuery,
        refuses=[NotAllowed],
        files=[CSV],
    )
    def get(self, request: Request, settlement: str) -> HttpResponseBase:
        asked = LineQuery.parse_query(request)
        mine = statements.settlement_of(self.merchant_id, self.named("stl", settlement))
        if wants_csv(request._request):  # noqa: SLF001  Django's own
            return as_file(mine)
        rows, cursor = page(statements.lines_of(mine), cursor=asked.cursor, limit=asked.limit, of=mine)
        data = [settlement_line_out(line, mine.currency) for line in statements.with_orders(rows)]
        shown = answer(SettlementLineList(data=data, next_cursor=cursor))
        shown["Vary"] = "Accept"
        return shown


class ProofOfSettlement(MerchantView):
    """/v1/settlements/{id}/proof"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SETTLEMENTS_READ}

    @operation(
        "get_settlement_proof",
        "Prove that a settlement's lines are in closed days of the ledger",
        gives=SettlementProof,
        query=ProofQuery,
        refuses=[NotAllowed],
    )
    def get(self, request: Request, settlement: str) -> HttpResponse:
        asked = ProofQuery.parse_query(request)
        mine = statements.settlement_of(self.merchant_id, self.named("stl", settlement))
        rows, cursor = page(statements.lines_of(mine), cursor=asked.cursor, limit=asked.limit, of=mine)
        lines = inclusion.proved(mine, rows)
        return answer(
            SettlementProof(
                object="settlement_proof",
                livemode=mine.realm_id == LIVE,
                settlement=mine.public_id,
                merchant=public("mch", mine.merchant_id),
                currency=mine.currency,
                days=[closed_day_out(day) for day in inclusion.days_since(mine, lines)],
                data=[proved_line_out(line) for line in lines],
                next_cursor=cursor,
            )
        )


def wants_csv(request: HttpRequest) -> bool:
    """Whether the caller asked for a file, and not merely for anything."""
    return request.get_preferred_type(["application/json", CSV]) == CSV


def as_file(settlement: Settlement) -> StreamingHttpResponse:
    """Every line, one a row, as it is read from the database."""
    made = StreamingHttpResponse(csv_lines(_rows(settlement)), content_type=f"{CSV}; charset=utf-8")
    made["Content-Disposition"] = f'attachment; filename="{settlement.public_id}.csv"'
    made["Vary"] = "Accept"
    return made


def _rows(settlement: Settlement) -> Iterator[list[str]]:
    """The API's own words and minor units: for programs. What a spreadsheet opens is in the console."""
    names = SettlementLineOut.__struct_fields__
    yield list(names)
    for line in statements.every_line(settlement):
        shown = to_builtins(settlement_line_out(line, settlement.currency))
        yield ["" if shown[name] is None else str(shown[name]) for name in names]
