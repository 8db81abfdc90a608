"""The planted bugs still fit the product: one that does not would prove nothing when evidence is asked for."""

import pytest

from tests.planted.__main__ import ROOT
from tests.planted.bugs import BUGS, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_changes_what_stands_there_once(bug: Bug) -> None:
    for change in bug.changes:
        assert (ROOT / change.file).read_text(encoding="utf-8").count(change.old) == 1, change.file
    for suite in bug.suites:
        assert (ROOT / suite.partition("::")[0]).exists()


def test_there_are_twenty_five_and_more() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 25
