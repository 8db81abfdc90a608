"""/docs/: the developers' guide, written in docs/guide/<language>/*.md and shown as pages that need no script.

A chapter is plain CommonMark with tables, as it reads on GitHub too. Whatever is HTML in it is shown as text.
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

from kernel.templatetags.house import asset

HOME = "index"
#: In the order of reading. The first is at /docs/ itself, each other at /docs/<its name>.
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
FOLDER = Path(settings.BASE_DIR) / "docs" / "guide"
LANGUAGES = {"zh-hans": "zh", "en": "en"}
#: Where the chapters say the platform is; their pages say where it is in truth.
HERE = "http://127.0.0.1:8000"
#: What a code block is called on its page.
LABELS = {"sh": "Shell", "python": "Python", "json": "JSON", "http": "HTTP", "text": "Text"}
_NO_ANCHOR = re.compile(r"[^\w\- ]")
_STATIC = "../../../static/"
Env = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a chapter, to jump to."""

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
    def address(self) -> str:
        return address_of(self.name)


def chapter(request: HttpRequest, name: str = HOME) -> HttpResponse:
    """A chapter, in the visitor's language."""
    if name not in CHAPTERS or (name == HOME and not request.path.endswith("/")):
        raise Http404
    language = LANGUAGES.get(get_language() or "", "en")
    every = book(language)
    at = CHAPTERS.index(name)
    context = {
        "chapters": every,
        "chapter": every[at],
        "before": every[at - 1] if at else None,
        "after": every[at + 1] if at + 1 < len(every) else None,
    }
    return render(request, "docs/guide.html", context)


@lru_cache(maxsize=len(LANGUAGES))
def book(language: str) -> tuple[Chapter, ...]:
    """The whole guide in this language."""
    return tuple(read(name, (FOLDER / language / f"{name}.md").read_text(encoding="utf-8")) for name in CHAPTERS)


def read(name: str, text: str) -> Chapter:
    """The chapter that this Markdown is: its first heading names it."""
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=Pages).enable("table")
    tokens = parser.parse(text)
    headings = _anchored(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    titles = [plain for tag, _anchor, plain in headings if tag == "h1"]
    sections = tuple(Section(anchor, plain) for tag, anchor, plain in headings if tag == "h2")
    return Chapter(name, titles[0], sections, mark_safe(html))  # noqa: S308  the renderer escapes all that is not its own


def address_of(name: str) -> str:
    return "/docs/" if name == HOME else f"/docs/{name}"


def anchor_of(text: str) -> str:
    """A heading's anchor, as GitHub makes it, so that a link works in both places."""
    return _NO_ANCHOR.sub("", text.strip().lower()).replace(" ", "-")


def _anchored(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Give every heading, and every table row that begins with one piece of code, its anchor."""
    headings, taken = [], set()
    for token, inside in zip(tokens, [*tokens[1:], Token("", "", 0)], strict=True):
        if token.type == "heading_open":
            plain = "".join(child.content for child in inside.children or ())
            anchor = anchor_of(plain)
            token.attrSet("id", anchor)
            headings.append((token.tag, anchor, plain))
            taken.add(anchor)
    for row, cell in zip(tokens, tokens[2:], strict=False):
        parts = cell.children or []
        if row.type == "tr_open" and len(parts) == 1 and parts[0].type == "code_inline":
            anchor = parts[0].content
            if re.fullmatch(r"[a-z_]+", anchor) and anchor not in taken:
                row.attrSet("id", anchor)
                taken.add(anchor)
    return headings


class Pages(RendererHTML):
    """Markdown as this house's pages: code names its language and this platform, tables scroll, chapters are linked."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        del options, env
        name = tokens[idx].info.strip()
        return format_html(
            '<figure class="code"><figcaption>{0}</figcaption><pre tabindex="0"><code>{1}</code></pre></figure>\n',
            LABELS[name],
            tokens[idx].content.replace(HERE, settings.BASE_URL),
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
            tokens[idx].attrSet("href", address_of(name.removesuffix(".md")) + mark + anchor)
        return self.renderToken(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        source = str(tokens[idx].attrGet("src"))
        if source.startswith(_STATIC):
            tokens[idx].attrSet("src", asset(source.removeprefix(_STATIC)))
        return super().image(tokens, idx, options, env)
