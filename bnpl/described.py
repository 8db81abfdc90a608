"""What every operation of the API has in common, written into its description once, after all else of it was generated.

Examples of answers are answers: a test plays a story on a clock that stands and keeps what came back (tests/guide).
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from bnpl.api import V1
from bnpl.field_words import FIELDS
from kernel.request_log import NAME_PATTERN
from merchants.access import VERSION
from merchants.rules.events import TYPES

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
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A merchant's API key, `sk_test_…` or `sk_live_…`, with scopes.",
}
#: Statuses at which something may pass by itself, so that the answer says how long to wait.
WAITS = {"409", "429", "503"}
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
    "schema": {"type": "string", "enum": [VERSION]},
}
NAME_PARAMETER = {
    "in": "header",
    "name": "Request-Id",
    "description": "Your own ID for this request, instead of a generated one.",
    "schema": {"type": "string", "pattern": NAME_PATTERN},
}


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: FBT001  spectacular's own signature
    """A hook of the schema generator: the description, whole."""
    del generator, request, public
    views = {f"/v1/{address.replace('<str:', '{').replace('>', '}')}": view for address, view in V1}
    for path, methods in result["paths"].items():
        for method, said in methods.items():
            _finish(said, path, views[path].scopes[method].value)  # type: ignore[attr-defined]
    components = result["components"]
    components["securitySchemes"] = {"key": KEY}
    components["headers"] = {
        name: {"description": words, "schema": schema} for name, (words, schema) in HEADERS.items()
    }
    for name, schema in components["schemas"].items():
        _describe(name, schema)
    result["servers"] = [
        {"url": "/", "description": "This platform: a test key opens its sandbox, a live key the rest."}
    ]
    result["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
    result["webhooks"] = {name: _webhook(name) for name in TYPES}
    return result


def _finish(said: dict[str, Any], path: str, scope: str) -> None:
    said["tags"] = [path.split("/")[2]]
    said["security"] = [{"key": [scope]}]
    said["description"] = f"Needs the scope `{scope}`."
    said.setdefault("parameters", []).extend([VERSION_PARAMETER, NAME_PARAMETER])
    for each in said["parameters"]:
        if each["in"] in ("path", "query") and not each.get("description"):
            each["description"] = each["schema"].get("description") or PARAMETERS[each["name"]]
    written = any(each["name"] == "Idempotency-Key" for each in said["parameters"])
    for status, answer in said["responses"].items():
        names = ["Request-Id", "Bnpl-Version", "RateLimit-Policy", "RateLimit"]
        names += ["Retry-After"] if status in WAITS else []
        names += ["Idempotent-Replayed"] if written and status not in WAITS else []
        answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    _show(said)


def _show(said: dict[str, Any]) -> None:
    """The answers that were given, beside what they are answers of."""
    seen = recorded()["answers"].get(said["operationId"], {})
    for status, body in seen.items():
        said["responses"][status]["content"]["application/json"]["examples"] = {"Answer": {"value": body}}
    for status, answer in said["responses"].items():
        if status.startswith("2"):
            answer["description"] = "Done." if status != "202" else "Started, but not finished yet."
    asked = said.get("requestBody", {}).get("content", {}).get("application/json")
    if asked and not asked.get("examples"):
        asked["examples"] = {"Nothing": {"value": {}, "summary": "Nothing more to say"}}


def _describe(schema_name: str, schema: dict[str, Any]) -> None:
    for name, field in schema.get("properties", {}).items():
        words = FIELDS.get(f"{schema_name}.{name}") or FIELDS.get(name)
        if words and not field.get("description"):
            field["description"] = words


def _webhook(name: str) -> dict[str, Any]:
    """What is sent when this happens, and what is wanted in return."""
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/MerchantEvent"}}
    if name in recorded()["events"]:
        content["examples"] = {"Event": {"value": recorded()["events"][name]}}
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
def recorded() -> dict[str, Any]:
    """By operation and status what was answered, and by type what was told."""
    kept: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}
    return {"answers": kept.get("answers", {}), "events": kept.get("events", {})}


PARAMETERS = {
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
