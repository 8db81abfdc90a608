"""The Makefile runs what it lists. A phony target without a rule succeeds and does nothing."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def listed(variable: str) -> list[str]:
    """The names in a variable of the Makefile."""
    found = re.search(rf"^{variable} := (.+)$", MAKEFILE, re.MULTILINE)
    assert found, variable
    return found[1].split()


def recipe(target: str) -> str:
    """The recipe of a target, empty where it has none."""
    found = re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize(("variable", "prefix"), [("CHECK", "check"), ("EVIDENCE", "evidence")])
def test_every_listed_part_has_a_recipe_and_every_recipe_is_listed(variable: str, prefix: str) -> None:
    parts = listed(variable)
    assert [part for part in parts if not recipe(f"{prefix}-{part}")] == []
    assert sorted(re.findall(rf"^{prefix}-(\w+):", MAKEFILE, re.MULTILINE)) == sorted(parts)


def test_every_benchmark_and_every_path_in_a_recipe_exists() -> None:
    paths = re.findall(r"(?<![\w/.$%-])((?:tests|benchmarks)/[\w/.]+)", MAKEFILE)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [name for name in listed("BENCHES") if not (ROOT / "benchmarks" / f"{name}.py").is_file()] == []
