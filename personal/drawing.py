"""A QR code as a drawing inside the page: no picture is fetched, and no script runs.

What works it out brings a library of pictures along, so it is read when the first one is drawn.
"""

from importlib import import_module
from itertools import groupby

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

QUIET = 4


def drawn(text: str, *, title: str) -> SafeString:
    """What a camera reads `text` from. It stays black on white in the dark too, or cameras would not read it."""
    qrcode = import_module("qrcode")
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_L, border=QUIET)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    runs: list[str] = []
    for y, row in enumerate(rows):
        x = 0
        for dark, cells in groupby(row):
            width = sum(1 for _cell in cells)
            if dark:
                runs.append(f"M{x} {y}h{width}v1h-{width}z")
            x += width
    return format_html(
        '<svg class="scan" viewBox="0 0 {0} {0}" role="img" aria-label="{1}" shape-rendering="crispEdges">'
        '<path fill="#fff" d="M0 0h{0}v{0}H0z"/><path fill="#000" d="{2}"/></svg>',
        len(rows),
        title,
        mark_safe("".join(runs)),  # noqa: S308  our own figures
    )
