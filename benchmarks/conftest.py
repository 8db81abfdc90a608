"""Fixtures shared by the parts of `make bench`: the crowd, and the report, which is saved at the end."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from benchmarks.crowd import Crowd, create_crowd
from benchmarks.measurement import scaled
from benchmarks.postgres_profile import PostgresProfile
from benchmarks.report import BenchmarkReport

PEOPLE = scaled(20_000, 600)


@pytest.fixture(scope="session")
def report() -> Iterator[BenchmarkReport]:
    pages = BenchmarkReport()
    yield pages
    pages.save()


@pytest.fixture(scope="session")
def profile() -> Iterator[PostgresProfile]:
    profile_ = PostgresProfile()
    yield profile_
    profile_.save()


@pytest.fixture(scope="session")
def crowd(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Crowd]:
    """From now on the database may be used."""
    with django_db_blocker.unblock():
        yield create_crowd(PEOPLE)
