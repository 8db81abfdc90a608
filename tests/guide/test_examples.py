"""Every answer that the description shows is one that was given.

`RECORD=1` keeps what the story's answers are now; `git diff` shows what changed in them.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bnpl.described import EXAMPLES
from bnpl.field_words import FIELDS
from merchants.rules.events import TYPES
from tests.conftest import make_shop
from tests.guide.recording import play
from tests.merchants.receiver import receiver

ROOT = Path(__file__).resolve().parents[2]
DESCRIBED: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = [said for methods in DESCRIBED["paths"].values() for said in methods.values()]


@pytest.mark.django_db(transaction=True)
def test_the_answers_shown_are_those_that_are_given() -> None:
    with receiver() as hooks:
        kept = play(make_shop("来电充电宝"), DESCRIBED, hooks)
    text = json.dumps(kept, ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("RECORD"):
        EXAMPLES.write_text(text, encoding="utf-8")
    assert json.loads(EXAMPLES.read_text(encoding="utf-8")) == kept
    assert set(kept["answers"]) == {said["operationId"] for said in OPERATIONS}


def test_every_operation_shows_a_request_an_answer_and_each_refusal() -> None:
    for said in OPERATIONS:
        name = said["operationId"]
        asked = said.get("requestBody", {}).get("content", {}).get("application/json")
        assert asked is None or asked["examples"], name
        for status, answer in said["responses"].items():
            for content in answer["content"].values():
                assert status.startswith("2") or content["examples"], (name, status)
            for header in answer["headers"]:
                assert header in DESCRIBED["components"]["headers"]
        shown = [
            content
            for status, one in said["responses"].items()
            if status[0] == "2"
            for content in one["content"].values()
        ]
        assert any(content.get("examples") for content in shown), name


def test_every_field_says_what_it_means() -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in DESCRIBED["components"]["schemas"].items()
        for field, said in schema.get("properties", {}).items()
        if not said.get("description")
    ]
    assert silent == []


def test_every_word_about_a_field_is_about_one_there_is() -> None:
    shapes = DESCRIBED["components"]["schemas"]
    there = {f"{name}.{field}" for name, schema in shapes.items() for field in schema.get("properties", {})}
    assert {key for key in FIELDS if "." in key} <= there
    assert {key for key in FIELDS if "." not in key} <= {key.partition(".")[2] for key in there}


def test_every_type_of_event_is_described_as_a_webhook_with_its_signature() -> None:
    assert set(DESCRIBED["webhooks"]) == set(TYPES)
    for said in DESCRIBED["webhooks"].values():
        assert {each["name"] for each in said["post"]["parameters"]} == {
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        }
