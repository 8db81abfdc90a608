"""Declares API operations next to their views; the OpenAPI file is generated from these declarations."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from django.utils import translation
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from kernel.idempotency import KeyReused, StillRunning
from kernel.problems import CONTENT_TYPE, Internal, Unauthenticated, UnknownVersion
from kernel.rate_limits import RateLimited
from kernel.refusal import (
    Invalid,
    LengthRequired,
    Malformed,
    NotFound,
    Overloaded,
    Refusal,
    TooLarge,
    TooSlow,
    Unavailable,
    WrongMediaType,
)
from kernel.wire import Wire

_REF = "#/components/schemas/"
_F = TypeVar("_F", bound=Callable[..., Any])
_BODY_REFUSALS: tuple[type[Refusal], ...] = (Malformed, Invalid, LengthRequired, TooLarge, WrongMediaType)
_COMMON_REFUSALS: tuple[type[Refusal], ...] = (
    Unauthenticated,
    UnknownVersion,
    TooSlow,
    TooLarge,
    RateLimited,
    Internal,
    Unavailable,
    Overloaded,
)
_IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Up to 255 characters, kept at least 7 days: a repeat gets the first response, byte for byte.",
)


class FieldProblem(Wire):
    """What is wrong with one field, by JSON pointer."""

    pointer: str
    detail: str


class Problem(Wire):
    """RFC 9457: what went wrong, with a stable code."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem]
    request_id: str
    reason: str | None = None


class Nothing(Wire):
    """An empty object."""


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Teaches the schema generator to read msgspec structs."""

    target_class = "kernel.wire.Wire"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: str) -> str:
        del auto_schema, direction
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        del direction
        (_top,), parts = msgspec.json.schema_components([self.target], ref_template=_REF + "{name}")
        own: dict[str, Any] = parts.pop(self.target.__name__)
        structs = {struct.__name__: struct for struct in Wire.__subclasses__()}
        for name, schema in parts.items():
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name, type=ResolvedComponent.SCHEMA, object=structs.get(name, name), schema=schema
            )
            auto_schema.registry.register_on_missing(component)
        return own


def operation(
    name: str,
    summary: str,
    *,
    response: type[Wire],
    request: type[Wire] | None = None,
    query: type[Wire] | None = None,
    status: int = 200,
    also_statuses: Sequence[int] = (),
    refusals: Sequence[type[Refusal]] = (),
    examples: Sequence[tuple[str, dict[str, Any]]] = (),
    idempotent: bool = False,
    file_types: Sequence[str] = (),
) -> Callable[[_F], _F]:
    """Declare a view method's operation: its request, response and refusals.

    `examples` are requests; `also_statuses` are further statuses with the same response; `idempotent` operations take
    an Idempotency-Key; `file_types` are media types in which the response is available too.
    """
    documented: list[type[Refusal]] = [*_COMMON_REFUSALS, NotFound, Invalid, *refusals]
    documented += _BODY_REFUSALS if request is not None or idempotent else ()
    documented += (KeyReused, StillRunning) if idempotent else ()
    responses: dict[Any, Any] = {code: OpenApiResponse(response, description="") for code in (status, *also_statuses)}
    responses |= {(status, kind): OpenApiResponse(OpenApiTypes.STR, description="") for kind in file_types}
    responses |= _refusal_responses(documented)
    described = extend_schema(
        operation_id=name,
        summary=summary,
        request={"application/json": request} if request else None,
        responses=responses,
        parameters=[*([_IDEMPOTENCY] if idempotent else []), *(_query_parameters(query) if query else [])],
        examples=[OpenApiExample(title, value, request_only=True) for title, value in examples],
    )

    def describe(method: _F) -> _F:
        method.query = query  # type: ignore[attr-defined]  # read when a request is admitted: other operations take no query
        return described(method)

    return describe


def _refusal_responses(refusals: Sequence[type[Refusal]]) -> dict[Any, Any]:
    """The responses for these refusals by status, described in English like the responses themselves."""
    found = {}
    with translation.override("en"):
        for code in sorted({refusal.status for refusal in refusals}):
            by_code = {refusal.code: refusal for refusal in refusals if refusal.status == code}
            description = "\n".join(f"- `{key}`: {refusal.title}" for key, refusal in sorted(by_code.items()))
            examples = [_refusal_example(refusal) for refusal in by_code.values()]
            found[code, CONTENT_TYPE] = OpenApiResponse(Problem, description=description, examples=examples)
    return found


def _refusal_example(refusal: type[Refusal]) -> OpenApiExample:
    value = {
        "type": f"/docs/errors#{refusal.code}",
        "title": str(refusal.title),
        "status": refusal.status,
        "detail": str(refusal.title),
        "code": refusal.code,
        "errors": [],
        "request_id": "req_0190b3d2c5a87c1d9e4f5a6b7c8d9e0f",
    }
    return OpenApiExample(refusal.code, value, response_only=True, status_codes=[str(refusal.status)])


def _query_parameters(query: type[Wire]) -> list[OpenApiParameter]:
    (_top,), parts = msgspec.json.schema_components([query])
    fields: dict[str, Any] = parts[query.__name__]["properties"]
    return [OpenApiParameter(name, schema, OpenApiParameter.QUERY) for name, schema in fields.items()]
