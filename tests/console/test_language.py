"""Staff choose the language of the operations console below every page, also before they have signed in."""

from collections.abc import Callable

import pytest
from django.test import Client


@pytest.mark.parametrize("path", ["/ops/", "/ops/queues/", "/ops/own/", "/ops/login/"])
def test_the_language_is_chosen_below_every_page(console_client: Callable[..., Client], path: str) -> None:
    client = Client(headers={"accept-language": "zh-CN"}) if path == "/ops/login/" else console_client("supervisor")
    page = client.get(path)
    assert page.status_code == 200
    html = page.content.decode()
    form = html.partition('<form class="languages"')[2].partition("</form>")[0]
    assert 'action="/language"' in form
    assert f'name="next" value="{path}"' in form
    assert 'value="zh-hans" lang="zh-hans" aria-current="true">简体中文' in form
    answer = client.post("/language", {"language": "en", "next": path})
    assert (answer.status_code, answer["Location"]) == (302, path)
    english = client.get(path).content.decode()
    assert '<html lang="en"' in english
    assert 'value="en" lang="en" aria-current="true">English' in english
