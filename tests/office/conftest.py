"""The console's fixtures, for what the office shows."""

from tests.console.conftest import at_desk

__all__ = ["at_desk"]
