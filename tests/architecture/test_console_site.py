"""The list of tables beside every console page: limited to what the user may see, translated, and cached."""

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


def create_colleague(role: str) -> User:
    return accounts.create_staff(role, "correct horse battery", roles=[role], by=BY, at=NOON)


def app_list_for(rf: RequestFactory, user: User, language: str) -> list[Any]:
    request: Any = rf.get("/ops/")
    request.user = user
    with override(language):
        return admin.site.get_app_list(request)


def table_names(apps: list[Any]) -> dict[str, str]:
    return {table["object_name"]: table["name"] for app in apps for table in app["models"]}


def test_the_list_shows_visible_tables_in_the_users_language(db: None, rf: RequestFactory) -> None:
    viewer, auditor = create_colleague("viewer"), create_colleague("auditor")
    lists = {
        (user, tongue): table_names(app_list_for(rf, user, tongue))
        for user in (viewer, auditor)
        for tongue in ("zh-hans", "en")
    }
    for (user, tongue), shown in lists.items():
        assert ("AuditLine" in shown) is (user == auditor)
        assert shown["Order"] == {"zh-hans": "订单", "en": "Orders"}[tongue]
    assert lists[auditor, "zh-hans"].keys() - lists[viewer, "zh-hans"].keys() >= {AuditLine.__name__}


def test_the_list_is_cached_for_all_who_see_the_same(
    db: None, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = app_list_for(rf, create_colleague("viewer"), "zh-hans")
    assert not [name for name in table_names(first).values() if isinstance(name, Promise)]
    monkeypatch.setattr("django.contrib.admin.sites.capfirst", None)
    assert app_list_for(rf, create_colleague("risk"), "zh-hans") is first
