"""What the parts of `make bench` share: one crowd and one book, which is kept when the last has ended."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from benchmarks.book import Book
from benchmarks.crowd import Crowd, gather
from benchmarks.inside import Inside
from benchmarks.weather import sized

PEOPLE = sized(20_000, 600)


@pytest.fixture(scope="session")
def book() -> Iterator[Book]:
    pages = Book()
    yield pages
    pages.keep()


@pytest.fixture(scope="session")
def inside() -> Iterator[Inside]:
    found = Inside()
    yield found
    found.keep()


@pytest.fixture(scope="session")
def crowd(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Crowd]:
    """From now on the database may be used."""
    with django_db_blocker.unblock():
        yield gather(PEOPLE)
