"""Colleagues at the console, for what the house shows of itself."""

from tests.console.conftest import at_desk

__all__ = ["at_desk"]
