"""Where lines of Chinese and other text break."""

import unicodedata
from collections.abc import Callable, Iterator

#: What may not begin a line, and what may not end one.
_CLOSING = frozenset("，。、；：？！）》」』】〕”’…—·～％%,.;:?!)]}>")
_OPENING = frozenset("（《「『【〔“‘([{<¥￥$€")


def lines_of(text: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """The text in lines that are at most so wide: Chinese between any two signs, other words between words.

    No line begins with a closing sign or ends with an opening one, and a word wider than a line is cut.
    """
    for paragraph in text.splitlines() or [""]:
        line = ""
        for piece in _pieces(paragraph):
            if line and measure((line + piece).rstrip()) > width:
                yield line.rstrip()
                line = ""
            for sign in _cut(piece if line else piece.lstrip(), width, measure):
                if line and measure((line + sign).rstrip()) > width:
                    yield line.rstrip()
                    line = ""
                line += sign
        yield line.rstrip()


def _cut(piece: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """The piece, or its signs one by one where it is wider than a whole line."""
    if measure(piece.rstrip()) <= width:
        yield piece
    else:
        yield from piece


def _pieces(text: str) -> Iterator[str]:
    """What must stay on one line: a Chinese sign with the punctuation that belongs to it, or a word with its space."""
    piece = ""
    for sign in text:
        if piece and _parts(piece[-1], sign):
            yield piece
            piece = ""
        piece += sign
    if piece:
        yield piece


def _parts(before: str, sign: str) -> bool:
    """Whether a line may end between these two."""
    if sign in _CLOSING or sign == " " or before in _OPENING:
        return False
    return before == " " or _wide(before) or _wide(sign)


def _wide(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in "WF"
