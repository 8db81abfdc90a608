"""Fixtures of colleagues signed in to the console."""

from tests.console.conftest import console_client

__all__ = ["console_client"]
