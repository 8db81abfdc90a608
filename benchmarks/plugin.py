"""What `make bench` adds to pytest: one book for all parts, kept when the last of them has ended."""

from collections.abc import Iterator

import pytest

from benchmarks.book import Book


@pytest.fixture(scope="session")
def book() -> Iterator[Book]:
    pages = Book()
    yield pages
    pages.keep()
