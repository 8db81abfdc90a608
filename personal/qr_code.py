"""QR codes as inline SVG: no image is fetched, and no script runs.

The qrcode library imports an imaging library, so it is loaded at the first use.
"""

from importlib import import_module
from itertools import groupby

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

QUIET_ZONE = 4


def qr_code_svg(text: str, *, title: str) -> SafeString:
    """A QR code of `text`. It stays black on white in dark mode, or cameras could not read it."""
    qrcode = import_module("qrcode")
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_L, border=QUIET_ZONE)
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
