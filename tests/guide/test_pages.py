"""The guide's pages: complete in both languages, without broken links or raw HTML."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils import translation

from bnpl.api_bypass import EMPTY_CSP
from bnpl.generated_docs import refusal_classes
from bnpl.guide import CHAPTERS, GUIDE_DIR, LANGUAGES, chapter_url, load_chapters, parse_chapter
from merchants.rules.events import EVENT_TYPES
from tests.guide.test_examples import DESCRIBED

LINK = re.compile(r'(?:href|src)="([^"]+)"')
ID = re.compile(r' id="([^"]+)"')
ROW = re.compile(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", re.MULTILINE)
#: A word of each language for "may be retried".
YES, NO = {"zh": "是", "en": "yes"}, {"zh": "否", "en": "no"}
pytestmark = pytest.mark.django_db


def get(address: str, language: str = "en") -> str:
    response = Client().get(address, HTTP_ACCEPT_LANGUAGE=language)
    assert response.status_code == 200, address
    policy = response["Content-Security-Policy"]
    assert policy == EMPTY_CSP or "script-src" in policy or "default-src 'self'" in policy
    return response.content.decode()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_every_chapter_links_to_its_neighbours(name: str, language: str) -> None:
    page = get(chapter_url(name), language)
    with translation.override(language):
        titles = [chapter.title for chapter in load_chapters(LANGUAGES[language])]
    assert page.count('aria-current="page"') >= 2  # in both lists of chapters
    for title in titles:
        assert title in page
    assert re.search("[\u4e00-\u9fff]", titles[0]) if language == "zh-hans" else titles[0].isascii()
    assert 'style="' not in page
    assert not re.search(r"<script(?![^>]*src=)", page)


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_guide_has_no_broken_links(language: str) -> None:
    pages = {chapter_url(name): get(chapter_url(name), language) for name in CHAPTERS}
    for address, page in pages.items():
        for link in LINK.findall(page.partition('<article class="prose">')[2]):
            target, _, anchor = unquote(link).partition("#")
            if target.startswith("/static/"):
                assert finders.find(target.removeprefix("/static/")), link
            elif not target.startswith("https://"):
                where = target or address
                found = pages.get(where) or get(where)
                assert not anchor or f'id="{anchor}"' in found, (address, link)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_chapter_names_its_headings_once(language: str) -> None:
    for chapter in load_chapters(language):
        names = ID.findall(chapter.body)
        assert len(names) == len(set(names)), chapter.name


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_error_is_listed_with_whether_to_retry(language: str) -> None:
    text = (GUIDE_DIR / language / "errors.md").read_text(encoding="utf-8")
    rows = {code: (int(status), rest.split(" | ")) for code, status, rest in ROW.findall(text)}
    kinds = {kind.code: kind for kind in refusal_classes() if kind.__module__.split(".")[0] != "tests"}
    assert set(rows) == set(kinds)
    for code, (status, rest) in rows.items():
        assert status == kinds[code].status, code
        if len(rest) > 1:
            assert rest[-1] == (YES if kinds[code].is_transient else NO)[language], code
    documented = {
        example["value"]["code"]
        for methods in DESCRIBED["paths"].values()
        for said in methods.values()
        for status, answer in said["responses"].items()
        for content in answer["content"].values()
        for example in content.get("examples", {}).values()
        if status >= "400"
    }
    explained = {code for code, (_status, rest) in rows.items() if len(rest) == 3}
    assert documented <= explained
    page = get("/docs/errors")
    assert all(f'id="{code}"' in page for code in kinds)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_event_and_every_behaviour_is_explained(language: str) -> None:
    webhooks = (GUIDE_DIR / language / "webhooks.md").read_text(encoding="utf-8")
    for kind in EVENT_TYPES:
        assert f"`{kind}`" in webhooks or f"`.{kind.partition('.')[2]}`" in webhooks, kind
    sandbox = (GUIDE_DIR / language / "sandbox.md").read_text(encoding="utf-8")
    for behaviour in DESCRIBED["components"]["schemas"]["Behaviour"]["enum"]:
        assert f"| `{behaviour}` |" in sandbox
        assert f'"{behaviour}"' in sandbox or behaviour == "no_funds", behaviour


def test_html_in_a_chapter_is_shown_as_text() -> None:
    text = "# A <b>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) `<i>`\n\n```sh\n<img src=x>\n```\n"
    chapter = parse_chapter("index", text)
    assert "<script" not in chapter.body
    assert "<img" not in chapter.body
    assert "<b>" not in chapter.body
    assert 'href="javascript' not in chapter.body
    assert "&lt;script&gt;" in chapter.body


@pytest.mark.parametrize("name", ["nothing", "index", "../settings", "errors.md"])
def test_there_are_no_other_chapters(name: str) -> None:
    assert Client().get(f"/docs/{name}").status_code == 404


def test_the_api_reference_is_linked() -> None:
    assert 'href="/docs/api"' in get("/docs/")
    assert "swagger-ui" in get("/docs/api")


def test_the_guide_is_in_the_docker_image() -> None:
    ignored = (Path(GUIDE_DIR).parents[1] / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "docs" not in ignored
    assert ignored.index("!docs/guide") > ignored.index("docs/*")
