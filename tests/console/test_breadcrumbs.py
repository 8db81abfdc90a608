"""Every console table has breadcrumbs from the console's name on, in the reader's language."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from accounts.models import User

ORDERS = "/ops/orders/order/"


def crumbs(client: Client, path: str) -> str:
    page = client.get(path).content.decode()
    (found,) = re.findall(r'<div class="breadcrumbs">(.*?)</div>', page, re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", found))).strip()


@pytest.mark.parametrize(
    ("language", "way"),
    [
        ("zh-CN", ["运营后台", "全部数据（只读）", "订单", "订单"]),
        ("en", ["Operations console", "All data (read only)", "Orders", "Orders"]),
    ],
)
def test_a_table_and_a_row_say_where_they_stand(
    console_client: Callable[..., Client], language: str, way: list[str]
) -> None:
    client = console_client("supervisor", language=language)
    assert crumbs(client, ORDERS) == " › ".join(way)
    assert crumbs(client, "/ops/orders/") == " › ".join(way[:3])
    user = User.objects.get(username="supervisor")
    assert crumbs(client, f"/ops/accounts/user/{user.pk}/change/").endswith(" › supervisor")
    assert crumbs(client, f"/ops/accounts/user/{user.pk}/history/").startswith(" › ".join(way[:2]))
    assert crumbs(client, "/ops/queues/").startswith(f"{way[0]} › ")
    assert 'class="rail"' in client.get("/ops/orders/").content.decode()
