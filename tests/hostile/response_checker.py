"""Checks every response, whatever was sent: a documented status and shape, and nothing about internals."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema_rs import validator_for

from tests.api import PROBLEM, PROBLEM_KEYS

OPENAPI = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
#: Text that would reveal internals. Text that the caller sent is not ours.
INTERNALS = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|psycopg|django|msgspec|\bSELECT\b|\bINSERT\b|DETAIL:|CONTEXT:|relation \""
    r"|column \"|duplicate key|/home/|/usr/|/work/|/tmp/|0x[0-9a-f]{8}"
)


#: Statuses allowed for paths and methods that are not documented.
UNDOCUMENTED_STATUSES = {"400", "401", "404", "405", "413", "429"}


def load_openapi() -> dict[str, Any]:
    return dict(json.loads(OPENAPI.read_text()))


def path_pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template)))


class DocumentedOperation:
    """The statuses and response schemas that the OpenAPI document gives for an operation."""

    def __init__(self, said: dict[str, Any], components: dict[str, Any]) -> None:
        self.operation, self.statuses = str(said["operationId"]), set(said["responses"])
        self.shapes = {
            status: validator_for(answer["content"]["application/json"]["schema"] | {"components": components})
            for status, answer in said["responses"].items()
            if status < "300"
        }


@dataclass
class ResponseChecker:
    """Checks and counts responses against the OpenAPI document."""

    seen: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        whole = load_openapi()
        self.table = [
            (
                path_pattern(template),
                {method: DocumentedOperation(said, whole["components"]) for method, said in methods.items()},
            )
            for template, methods in whole["paths"].items()
        ]

    def documented(self, method: str, path: str) -> "DocumentedOperation | None":
        """The documented operation of this method and path, if any."""
        for pattern, methods in self.table:
            if pattern.fullmatch(path):
                return methods.get(method.lower())
        return None

    def check(self, method: str, path: str, response: Any, sent: Any = None) -> None:
        status, body, kind = response.status_code, response.content, response["Content-Type"]
        promise = self.documented(method, path)
        what = (method, path, sent, status, body[:600])
        self.seen[status] += 1
        self.operations.add(promise.operation if promise else "none")
        assert status < 500, what
        assert str(status) in (promise.statuses if promise else UNDOCUMENTED_STATUSES), what
        assert response["Request-Id"], what
        assert response["RateLimit"], what
        if status < 300:
            assert kind == "application/json", what
            assert promise, what
            promise.shapes[str(status)].validate(json.loads(body))
            return
        problem = json.loads(body)
        assert kind == PROBLEM, what
        assert set(problem) - {"reason"} == PROBLEM_KEYS, what
        assert problem["status"] == status, what
        words = " ".join([problem["title"], problem["detail"], *(error["detail"] for error in problem["errors"])])
        assert not INTERNALS.search(words), what

    def summary(self) -> str:
        return (
            f"{sum(self.seen.values())} answers {dict(sorted(self.seen.items()))} of {len(self.operations)} operations"
        )
