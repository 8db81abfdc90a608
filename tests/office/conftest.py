"""Console fixtures for the tests of the office app."""

from tests.console.conftest import console_client, risk, supervisor, support

__all__ = ["console_client", "risk", "supervisor", "support"]
