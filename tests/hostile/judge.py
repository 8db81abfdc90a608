"""What is asked of every answer, whatever was sent: a documented status and shape, and no word of our insides."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema_rs import validator_for

from tests.api import PROBLEM, PROBLEM_KEYS

OPENAPI = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
#: What only somebody who looks at our insides would write. A caller's own words are not ours.
INSIDES = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|psycopg|django|msgspec|\bSELECT\b|\bINSERT\b|DETAIL:|CONTEXT:|relation \""
    r"|column \"|duplicate key|/home/|/usr/|/work/|/tmp/|0x[0-9a-f]{8}"
)


#: What is said at an address, or by a method, that is none of the description's.
ELSEWHERE = {"400", "401", "404", "405", "413", "429"}


def described() -> dict[str, Any]:
    return dict(json.loads(OPENAPI.read_text()))


def address(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template)))


class Promise:
    """What the description says an operation answers."""

    def __init__(self, said: dict[str, Any], components: dict[str, Any]) -> None:
        self.operation, self.statuses = str(said["operationId"]), set(said["responses"])
        self.shapes = {
            status: validator_for(answer["content"]["application/json"]["schema"] | {"components": components})
            for status, answer in said["responses"].items()
            if status < "300"
        }


@dataclass
class Judge:
    """Looks at answers, counts them, and knows which statuses each operation may give."""

    seen: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        whole = described()
        self.table = [
            (address(template), {method: Promise(said, whole["components"]) for method, said in methods.items()})
            for template, methods in whole["paths"].items()
        ]

    def promised(self, method: str, path: str) -> "Promise | None":
        """What the description says of this method at this address."""
        for pattern, methods in self.table:
            if pattern.fullmatch(path):
                return methods.get(method.lower())
        return None

    def look(self, method: str, path: str, response: Any, sent: Any = None) -> None:
        status, body, kind = response.status_code, response.content, response["Content-Type"]
        promise = self.promised(method, path)
        what = (method, path, sent, status, body[:600])
        self.seen[status] += 1
        self.operations.add(promise.operation if promise else "none")
        assert status < 500, what
        assert str(status) in (promise.statuses if promise else ELSEWHERE), what
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
        assert not INSIDES.search(words), what

    def told(self) -> str:
        return (
            f"{sum(self.seen.values())} answers {dict(sorted(self.seen.items()))} of {len(self.operations)} operations"
        )
