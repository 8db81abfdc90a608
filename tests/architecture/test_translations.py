"""Every text for people exists in both languages: English in the code, Chinese in the catalogues."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation.template import templatize

from bnpl.urls import CONSOLE_URLS
from kernel.labels import REGISTERED_LABELS
from tests.architecture import OWN_APPS

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = "locale/zh_Hans/LC_MESSAGES/django.po"
CATALOGUES = [*sorted(ROOT.glob(f"*/{PLACE}")), ROOT / PLACE]
WORDS = ("gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "_", "pgettext")
HOW_TO_MEND = "write it there, then: pybabel compile -d locale -D django"


def texts_in_code() -> dict[str, str]:
    """Every text marked for translation, and the first file that contains it."""
    found: dict[str, str] = {}
    for path, source in sources():
        for _line, _call, message, _notes in extract_python(io.BytesIO(source.encode()), WORDS, (), {}):
            text = message if isinstance(message, str) else next((m for m in message if m), "")
            if text:
                found.setdefault(text, path)
    return found


def sources() -> Iterator[tuple[str, str]]:
    for path in sorted(path for kind in ("*.html", "*.txt") for path in (ROOT / "templates").rglob(kind)):
        yield str(path.relative_to(ROOT)), templatize(path.read_text(encoding="utf-8"))
    for app in OWN_APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def translated_texts() -> dict[str, str]:
    """Every sentence the catalogues translate, but for names, which stand in contexts of their own."""
    found: dict[str, str] = {}
    for path in CATALOGUES:
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_Hans"):
                key = message.id if isinstance(message.id, str) else message.id[0]
                text = message.string if isinstance(message.string, str) else "".join(message.string)
                if key and text and not message.fuzzy and not message.context:
                    found[key] = text
    return found


def test_every_text_has_a_chinese_translation() -> None:
    translated = translated_texts()
    missing = {text: path for text, path in texts_in_code().items() if text not in translated}
    assert not missing, HOW_TO_MEND


def test_a_sentence_means_the_same_in_every_catalogue() -> None:
    """Of two the first would count everywhere: words of two meanings are said in two ways."""
    found: dict[tuple[str | None, str], set[str]] = {}
    for path in CATALOGUES:
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_Hans"):
                found.setdefault((message.context, str(message.id)), set()).add(str(message.string))
    assert {key: texts for key, texts in found.items() if key[1] and len(texts) > 1} == {}


def test_no_unused_translations() -> None:
    assert not set(translated_texts()) - set(texts_in_code())


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: str(path.relative_to(ROOT).parts[0]))
def test_the_compiled_catalogue_is_what_its_source_says(path: Path) -> None:
    with path.open("rb") as file:
        catalogue = read_po(file, locale="zh_Hans")
    fresh = io.BytesIO()
    write_mo(fresh, catalogue)
    fresh.seek(0)
    with path.with_suffix(".mo").open("rb") as file:
        compiled, wanted = read_mo(file), read_mo(fresh)
    assert texts_of(compiled) == texts_of(wanted), HOW_TO_MEND


def texts_of(catalogue: Catalog) -> dict[tuple[str | None, str], object]:
    return {(message.context, str(message.id)): message.string for message in catalogue if message.id}


def test_every_name_at_the_console_has_its_chinese() -> None:
    assert CONSOLE_URLS  # with its pages everything has been named
    names: set[tuple[str, str]] = set()
    for path in CATALOGUES:
        with path.open("rb") as file:
            found = [m for m in read_po(file, locale="zh_Hans") if m.context and m.string]
        names |= {(str(message.context), str(message.id)) for message in found}
    assert names == REGISTERED_LABELS


def test_a_translation_fills_in_the_same_words() -> None:
    def slots(text: str) -> set[str]:
        return {part.split(")")[0] for part in text.split("%(")[1:]}

    assert not [key for key, text in translated_texts().items() if slots(text) - slots(key)]


def test_no_librarys_words_stand_before_ours() -> None:
    """Of two apps that say the same, the first installed counts: what a library says as well goes into `locale/`."""
    shown: dict[str, str] = {}
    with translation.override("zh-hans"):
        for path in CATALOGUES:
            with path.open("rb") as file:
                plain = [m for m in read_po(file, locale="zh_Hans") if isinstance(m.id, str) and m.id and not m.context]
            shown |= {m.id: gettext(m.id) for m in plain if gettext(m.id) != m.string}
    assert shown == {}
