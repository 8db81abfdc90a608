"""The console's fixtures, for what the office shows."""

from tests.console.conftest import at_desk, boss, risk, support

__all__ = ["at_desk", "boss", "risk", "support"]
