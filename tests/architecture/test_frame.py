"""The tables named beside every page of the console: whose they are, in whose language, and what naming them takes."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.utils.functional import Promise
from django.utils.translation import override

from accounts import services as accounts
from accounts.models import User
from kernel.models import AuditLine
from tests.conftest import BY, NOON


def colleague(role: str) -> User:
    return accounts.create_staff(role, "correct horse battery", roles=[role], by=BY, at=NOON)


def named(rf: RequestFactory, user: User, language: str) -> list[Any]:
    request: Any = rf.get("/ops/")
    request.user = user
    with override(language):
        return admin.site.get_app_list(request)


def tables(apps: list[Any]) -> dict[str, str]:
    return {table["object_name"]: table["name"] for app in apps for table in app["models"]}


def test_each_sees_named_what_they_may_see_in_their_language(db: None, rf: RequestFactory) -> None:
    viewer, auditor = colleague("viewer"), colleague("auditor")
    lists = {
        (user, tongue): tables(named(rf, user, tongue)) for user in (viewer, auditor) for tongue in ("zh-hans", "en")
    }
    for (user, tongue), shown in lists.items():
        assert ("AuditLine" in shown) is (user == auditor)
        assert shown["Order"] == {"zh-hans": "订单", "en": "Orders"}[tongue]
    assert lists[auditor, "zh-hans"].keys() - lists[viewer, "zh-hans"].keys() >= {AuditLine.__name__}


def test_tables_are_named_and_put_in_order_once_for_all_who_see_the_same(
    db: None, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = named(rf, colleague("viewer"), "zh-hans")
    assert not [name for name in tables(first).values() if isinstance(name, Promise)]
    monkeypatch.setattr("django.contrib.admin.sites.capfirst", None)
    assert named(rf, colleague("risk"), "zh-hans") is first
