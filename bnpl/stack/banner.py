"""The banner printed once everything runs: URLs, API keys and sign-ins."""

from collections.abc import Iterator
from typing import Any

ADDRESSES = (
    ("people", "/"),
    ("merchant API", "/docs/"),
    ("merchants", "/merchant/"),
    ("operators", "/ops/"),
    ("messages", "/dev/messages"),
)


def banner_lines(base_url: str, demo: dict[str, Any] | None, seconds: float) -> Iterator[str]:
    yield f"Ready after {seconds:.1f} s. Ctrl-C stops everything."
    for title, path in ADDRESSES:
        yield f"  {title:<14} {base_url}{path}"
    if demo is None:
        return
    yield from table_lines("API keys", demo.get("merchants", []), ("name", "mode", "secret_key"))
    yield from table_lines(
        "people: sign in by phone; the code lands on /dev/messages", demo.get("people", []), ("name", "phone")
    )
    yield from table_lines("merchants' owners at /merchant/", demo.get("owners", []), ("merchant", "email", "password"))
    yield from table_lines("staff at /ops/", demo.get("staff", []), ("username", "password", "role"))


def table_lines(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Iterator[str]:
    if not rows:
        return
    yield title
    cells = [[str(row.get(column) or "-") for column in columns] for row in rows]
    widths = [max(cell_width(row[number]) for row in cells) for number in range(len(columns))]
    for row in cells:
        padded = (text + " " * (width - cell_width(text)) for text, width in zip(row, widths, strict=True))
        yield ("  " + "  ".join(padded)).rstrip()


def cell_width(text: str) -> int:
    """The columns of a text on a terminal, where a Chinese character takes two."""
    return sum(2 if ord(letter) >= FIRST_WIDE else 1 for letter in text)


FIRST_WIDE = 0x1100
