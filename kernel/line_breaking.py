"""Breaks text into lines, by the rules for Chinese and for other scripts."""

import unicodedata
from collections.abc import Callable, Iterator

#: Characters that may not start a line, and characters that may not end one.
_CLOSING = frozenset("，。、；：？！）》」』】〕”’…—·～％%,.;:?!)]}>")
_OPENING = frozenset("（《「『【〔“‘([{<¥￥$€")


def wrap_text(text: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """Wrap the text to a width: Chinese breaks between any two characters, other text between words.

    No line starts with closing or ends with opening punctuation. A word wider than a line is split.
    """
    for paragraph in text.splitlines() or [""]:
        line = ""
        for piece in _pieces(paragraph):
            if line and measure((line + piece).rstrip()) > width:
                yield line.rstrip()
                line = ""
            for char in _split_if_too_wide(piece if line else piece.lstrip(), width, measure):
                if line and measure((line + char).rstrip()) > width:
                    yield line.rstrip()
                    line = ""
                line += char
        yield line.rstrip()


def _split_if_too_wide(piece: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """The piece, or its single characters if it is wider than a line."""
    if measure(piece.rstrip()) <= width:
        yield piece
    else:
        yield from piece


def _pieces(text: str) -> Iterator[str]:
    """The unbreakable pieces: a Chinese character with its punctuation, or a word with its space."""
    piece = ""
    for char in text:
        if piece and _can_break_between(piece[-1], char):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


def _can_break_between(previous: str, char: str) -> bool:
    """Whether a line may break between these two characters."""
    if char in _CLOSING or char == " " or previous in _OPENING:
        return False
    return previous == " " or _is_wide(previous) or _is_wide(char)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"
