"""Completes the generated OpenAPI document with what all operations share: headers, scopes, descriptions, examples.

The example responses are recorded: a test plays a story on a frozen clock and stores the responses (tests/guide).
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from bnpl.api_urls import V1_ROUTES
from bnpl.field_descriptions import FIELD_DESCRIPTIONS
from kernel.request_log import API_VERSION, REQUEST_ID_PATTERN
from merchants.rules.events import EVENT_TYPES

_REF = re.compile(r"#/components/schemas/(\w+)")
EXAMPLES = Path(settings.BASE_DIR) / "docs" / "guide" / "examples.json"
TAGS = {
    "services": "服务: what a merchant offers to use now and pay later.",
    "agreements": "协议: a person's authorization for a service.",
    "eligibility": "评估: whether a person can order an amount now.",
    "orders": "订单: one use of a service, until it is paid.",
    "disputes": "拒付: deductions returned by channels, and your evidence.",
    "returns": "退货: goods sent back, and your answer.",
    "settlements": "结算: payouts and their lines.",
    "events": "事件: everything that happened, replayable at any time.",
    "webhook_endpoints": "Webhook: where events go.",
    "sandbox": "沙箱: test users and a clock under your control. Test keys only.",
}
SECURITY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A merchant's API key, `sk_test_…` or `sk_live_…`, with scopes.",
}
#: Statuses after which a retry may succeed; their responses have Retry-After.
RETRYABLE_STATUSES = {"409", "429", "503"}
HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Request-Id": ("Identifies this request in our logs and in the webhooks it causes.", {"type": "string"}),
    "Bnpl-Version": ("The API version of this response.", {"type": "string"}),
    "RateLimit-Policy": ("The rule: `q` requests in `w` seconds.", {"type": "string"}),
    "RateLimit": ("The current state: `r` requests left, full again in `t` seconds.", {"type": "string"}),
    "Retry-After": ("Seconds to wait before retrying.", {"type": "integer", "minimum": 1}),
    "Idempotent-Replayed": (
        "This repeats the first response to this Idempotency-Key.",
        {"type": "string", "enum": ["true"]},
    ),
}
VERSION_PARAMETER = {
    "in": "header",
    "name": "Bnpl-Version",
    "description": "Pins the version you tested with; the latest if omitted.",
    "schema": {"type": "string", "enum": [API_VERSION]},
}
REQUEST_ID_PARAMETER = {
    "in": "header",
    "name": "Request-Id",
    "description": "Your own ID for this request, instead of a generated one.",
    "schema": {"type": "string", "pattern": REQUEST_ID_PATTERN},
}


def postprocess_schema(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: FBT001  spectacular's own signature
    """drf-spectacular's postprocessing hook."""
    del generator, request, public
    views = {f"/v1/{address.replace('<str:', '{').replace('>', '}')}": view for address, view in V1_ROUTES}
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            _complete_operation(operation, path, views[path].scopes[method].value)  # type: ignore[attr-defined]
    components = result["components"]
    for name in _response_only_schemas(result):  # objects may gain fields
        components["schemas"][name].pop("additionalProperties", None)
    components["securitySchemes"] = {"key": SECURITY_SCHEME}
    components["headers"] = {
        name: {"description": words, "schema": schema} for name, (words, schema) in HEADERS.items()
    }
    for name, schema in components["schemas"].items():
        _describe_fields(name, schema)
    result["servers"] = [
        {"url": "/", "description": "This platform: a test key opens its sandbox, a live key the rest."}
    ]
    result["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
    result["webhooks"] = {name: _webhook(name) for name in EVENT_TYPES}
    return result


def _complete_operation(operation: dict[str, Any], path: str, scope: str) -> None:
    operation["tags"] = [path.split("/")[2]]
    operation["security"] = [{"key": [scope]}]
    operation["description"] = f"Needs the scope `{scope}`."
    operation.setdefault("parameters", []).extend([VERSION_PARAMETER, REQUEST_ID_PARAMETER])
    for each in operation["parameters"]:
        if each["in"] in ("path", "query") and not each.get("description"):
            each["description"] = each["schema"].get("description") or PARAMETER_DESCRIPTIONS[each["name"]]
    is_idempotent = any(each["name"] == "Idempotency-Key" for each in operation["parameters"])
    for status, response in operation["responses"].items():
        names = ["Request-Id", "Bnpl-Version", "RateLimit-Policy", "RateLimit"]
        names += ["Retry-After"] if status in RETRYABLE_STATUSES else []
        names += ["Idempotent-Replayed"] if is_idempotent and status not in {"429", "503"} else []
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    _add_examples(operation)


def _add_examples(operation: dict[str, Any]) -> None:
    """The recorded responses as examples, and an empty example for an optional body."""
    recorded = load_examples()["answers"].get(operation["operationId"], {})
    for status, body in recorded.items():
        operation["responses"][status]["content"]["application/json"]["examples"] = {"Answer": {"value": body}}
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response["description"] = "Done." if status != "202" else "Started, but not finished yet."
    body_schema = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body_schema and not body_schema.get("examples"):
        body_schema["examples"] = {"Nothing": {"value": {}, "summary": "Nothing more to say"}}


def _response_only_schemas(result: dict[str, Any]) -> set[str]:
    """The names of the schemas that no request body uses."""
    schemas: dict[str, Any] = result["components"]["schemas"]
    operations = [operation for methods in result["paths"].values() for operation in methods.values()]
    pending = [operation["requestBody"] for operation in operations if "requestBody" in operation]
    requested = set[str]()
    while pending:
        for name in set(_REF.findall(json.dumps(pending.pop()))) - requested:
            requested.add(name)
            pending.append(schemas[name])
    return set(schemas) - requested


def _describe_fields(schema_name: str, schema: dict[str, Any]) -> None:
    for name, field in schema.get("properties", {}).items():
        description = FIELD_DESCRIPTIONS.get(f"{schema_name}.{name}") or FIELD_DESCRIPTIONS.get(name)
        if description and not field.get("description"):
            field["description"] = description


def _webhook(name: str) -> dict[str, Any]:
    """The webhook of an event type: what is sent, and the responses that are expected."""
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/MerchantEvent"}}
    if name in load_examples()["events"]:
        content["examples"] = {"Event": {"value": load_examples()["events"][name]}}
    signed = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "post": {
            "operationId": f"on_{name.replace('.', '_')}",
            "summary": f"`{name}` happened",
            "description": "Signed by Standard Webhooks 1.0: verify the raw bytes before reading.",
            "tags": ["events"],
            "security": [],
            "parameters": [{"in": "header", "name": h, "required": True, "schema": {"type": "string"}} for h in signed],
            "requestBody": {"required": True, "content": {"application/json": content}},
            "responses": {
                "2XX": {"description": "Received. Any other response, or none within 10 seconds, is retried."},
                "410": {"description": "No more events wanted: the endpoint is disabled."},
            },
        }
    }


@lru_cache(maxsize=1)
def load_examples() -> dict[str, Any]:
    """The recorded responses by operation and status, and the recorded events by type."""
    examples: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}
    return {"answers": examples.get("answers", {}), "events": examples.get("events", {})}


PARAMETER_DESCRIPTIONS = {
    "service": "A service's id, `svc_…`.",
    "agreement": "An agreement's id, `agr_…`.",
    "dispute": "A dispute's id, `dsp_…`.",
    "returned": "A return's id, `ret_…`.",
    "settlement": "A settlement's id, `stl_…`.",
    "order": "An order's id, `ord_…`.",
    "event": "An event's id, `evt_…`.",
    "endpoint": "A webhook endpoint's id, `whe_…`.",
    "person": "A sandbox person's id, `per_…`.",
    "limit": "Page size.",
    "cursor": "`next_cursor` of the previous page.",
    "state": "Only those in this state.",
    "out_order_no": "Only the order with this `out_order_no`.",
    "person_ref": "Only those with this `person_ref`.",
}
