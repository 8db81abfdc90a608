"""Every answer that the description shows is one that was given.

`RECORD=1` keeps what the story's answers are now; `git diff` shows what changed in them.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bnpl.field_descriptions import FIELD_DESCRIPTIONS
from bnpl.openapi import EXAMPLES
from merchants.rules.events import EVENT_TYPES
from tests.conftest import make_shop
from tests.guide.recording import play_story
from tests.merchants.receiver import receiver

ROOT = Path(__file__).resolve().parents[2]
DESCRIBED: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = [said for methods in DESCRIBED["paths"].values() for said in methods.values()]


@pytest.mark.django_db(transaction=True)
def test_the_examples_are_real_responses() -> None:
    with receiver() as hooks:
        recorded = play_story(make_shop("来电充电宝"), DESCRIBED, hooks)
    text = json.dumps(recorded, ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("RECORD"):
        EXAMPLES.write_text(text, encoding="utf-8")
    assert json.loads(EXAMPLES.read_text(encoding="utf-8")) == recorded
    assert set(recorded["answers"]) == {said["operationId"] for said in OPERATIONS}


def test_every_operation_has_examples_and_its_refusals() -> None:
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


def test_every_field_has_a_description() -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in DESCRIBED["components"]["schemas"].items()
        for field, said in schema.get("properties", {}).items()
        if not said.get("description")
    ]
    assert silent == []


def test_every_description_is_of_an_existing_field() -> None:
    shapes = DESCRIBED["components"]["schemas"]
    there = {f"{name}.{field}" for name, schema in shapes.items() for field in schema.get("properties", {})}
    assert {key for key in FIELD_DESCRIPTIONS if "." in key} <= there
    assert {key for key in FIELD_DESCRIPTIONS if "." not in key} <= {key.partition(".")[2] for key in there}


def test_every_type_of_event_is_described_as_a_webhook_with_its_signature() -> None:
    assert set(DESCRIBED["webhooks"]) == set(EVENT_TYPES)
    for said in DESCRIBED["webhooks"].values():
        assert {each["name"] for each in said["post"]["parameters"]} == {
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        }
