"""/docs/: the developers' guide, rendered from docs/guide/<language>/*.md into pages without scripts.

A chapter is CommonMark with tables, so it can be read on GitHub too. HTML in it is escaped.
"""

import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from kernel.templatetags.formatting import asset

HOME = "index"
#: In reading order. The first is at /docs/, each other one at /docs/<its name>.
CHAPTERS = (
    HOME,
    "quickstart",
    "opening",
    "orders",
    "conventions",
    "idempotency",
    "errors",
    "webhooks",
    "sandbox",
    "limits",
    "going-live",
    "migrating",
    "changelog",
)
GUIDE_DIR = Path(settings.BASE_DIR) / "docs" / "guide"
LANGUAGES = {"zh-hans": "zh", "en": "en"}
#: The platform's URL in the sources of the chapters; their pages show this platform's own.
EXAMPLE_BASE_URL = "http://127.0.0.1:8000"
#: The caption of a code block, by its language.
LANGUAGE_LABELS = {"sh": "Shell", "python": "Python", "json": "JSON", "http": "HTTP", "text": "Text"}
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")
_STATIC = "../../../static/"
Env = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a chapter, for the table of contents."""

    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """One page of the guide in one language."""

    name: str
    title: str
    sections: tuple[Section, ...]
    body: SafeString

    @property
    def url(self) -> str:
        return chapter_url(self.name)


def chapter(request: HttpRequest, name: str = HOME) -> HttpResponse:
    """A chapter, in the visitor's language."""
    if name not in CHAPTERS or (name == HOME and not request.path.endswith("/")):
        raise Http404
    language = LANGUAGES.get(get_language() or "", "en")
    chapters = load_chapters(language)
    index = CHAPTERS.index(name)
    context = {
        "chapters": chapters,
        "chapter": chapters[index],
        "before": chapters[index - 1] if index else None,
        "after": chapters[index + 1] if index + 1 < len(chapters) else None,
    }
    return render(request, "docs/guide.html", context)


@lru_cache(maxsize=len(LANGUAGES))
def load_chapters(language: str) -> tuple[Chapter, ...]:
    """The whole guide in this language."""
    return tuple(
        parse_chapter(name, (GUIDE_DIR / language / f"{name}.md").read_text(encoding="utf-8")) for name in CHAPTERS
    )


def parse_chapter(name: str, text: str) -> Chapter:
    """Render a chapter's Markdown. Its first heading is its title."""
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=GuideRenderer).enable("table")
    tokens = parser.parse(text)
    headings = _add_anchors(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    titles = [plain for tag, _anchor, plain in headings if tag == "h1"]
    sections = tuple(Section(anchor, plain) for tag, anchor, plain in headings if tag == "h2")
    return Chapter(name, titles[0], sections, mark_safe(html))  # noqa: S308  the renderer escapes all that is not its own


def chapter_url(name: str) -> str:
    return "/docs/" if name == HOME else f"/docs/{name}"


def slugify_heading(text: str) -> str:
    """A heading's anchor, as GitHub derives it, so that links work in both places."""
    return _NOT_IN_ANCHOR.sub("", text.strip().lower()).replace(" ", "-")


def _add_anchors(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Set the id of every heading, and of every table row whose first cell is code. Returns the headings."""
    headings, anchors = [], set()
    for token, inside in zip(tokens, [*tokens[1:], Token("", "", 0)], strict=True):
        if token.type == "heading_open":
            plain = "".join(child.content for child in inside.children or ())
            anchor = slugify_heading(plain)
            token.attrSet("id", anchor)
            headings.append((token.tag, anchor, plain))
            anchors.add(anchor)
    for row, cell in zip(tokens, tokens[2:], strict=False):
        parts = cell.children or []
        if row.type == "tr_open" and len(parts) == 1 and parts[0].type == "code_inline":
            anchor = parts[0].content
            if re.fullmatch(r"[a-z_]+", anchor) and anchor not in anchors:
                row.attrSet("id", anchor)
                anchors.add(anchor)
    return headings


class GuideRenderer(RendererHTML):
    """Renders captions and this platform's URL into code blocks, makes tables scroll, and links chapters."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        del options, env
        name = tokens[idx].info.strip()
        return format_html(
            '<figure class="code"><figcaption>{0}</figcaption><pre tabindex="0"><code>{1}</code></pre></figure>\n',
            LANGUAGE_LABELS[name],
            tokens[idx].content.replace(EXAMPLE_BASE_URL, settings.BASE_URL),
        )

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        return '<div class="wide" tabindex="0">' + self.renderToken(tokens, idx, options, env)

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        return self.renderToken(tokens, idx, options, env) + "</div>\n"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        anchor = tokens[idx - 2].attrGet("id")
        end = self.renderToken(tokens, idx, options, env)
        if tokens[idx].tag == "h1":
            return end
        return format_html(' <a class="anchor" href="#{}" aria-hidden="true" tabindex="-1">#</a>', anchor) + end

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        name, mark, anchor = str(tokens[idx].attrGet("href")).partition("#")
        if name.endswith(".md"):
            tokens[idx].attrSet("href", chapter_url(name.removesuffix(".md")) + mark + anchor)
        return self.renderToken(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        source = str(tokens[idx].attrGet("src"))
        if source.startswith(_STATIC):
            tokens[idx].attrSet("src", asset(source.removeprefix(_STATIC)))
        return super().image(tokens, idx, options, env)
