"""Plain SVG charts: bars, curves and flame graphs, readable in light and dark mode."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _ROW, _HEAD, _BAR = 640, 190, 34, 44, 330
_COLOURS = ("#1a7f64", "#b4690e", "#3b66c4", "#9b3f8f", "#b3261e")
#: Flame graphs: the width, the height of a frame, the least width of one; and the prefixes of our own modules.
_WIDE, _FLAME, _THIN = 1200, 17, 1.5
_OURS = ("accounts", "billing", "bnpl", "credit", "kernel", "ledger", "merchants", "office", "orders")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.s{font-size:12px;fill:#555}.p{fill:#fff}"
    ".f{stroke:#fff;stroke-width:.5}text.l{font-size:11px;fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.s{fill:#bbb}.p{fill:#16181c}}"
)


def bar_chart(title: str, sides: Mapping[str, Sequence[float]], unit: str) -> str:
    """A bar for the median of each side, with a dot for every round."""
    most = max((max(rounds) for rounds in sides.values() if rounds), default=1.0) or 1.0
    parts = []
    for place, (name, rounds) in enumerate(sides.items()):
        y, median_measurement = _HEAD + place * _ROW, median(rounds)
        colour = _COLOURS[place % len(_COLOURS)]
        parts.append(_text(_LEFT - 10, y + 16, name, anchor="end"))
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="{_BAR * median_measurement / most:.1f}" height="22" fill="{colour}"/>'
        )
        parts += [
            f'<circle cx="{_LEFT + _BAR * one / most:.1f}" cy="{y + 11}" r="3" fill="none" stroke="#888"/>'
            for one in rounds
        ]
        parts.append(_text(_LEFT + _BAR + 10, y + 16, f"{_format_number(median_measurement)} {unit}"))
    return _svg(title, _HEAD + len(sides) * _ROW + 8, parts)


def line_chart(title: str, unit: str, curves: Mapping[str, Mapping[int, float]]) -> str:
    """Values by table size, on a logarithmic axis."""
    sizes = sorted({size for points in curves.values() for size in points})
    most = max((value for points in curves.values() for value in points.values()), default=1.0) or 1.0
    foot, height = _HEAD + 180, _HEAD + 220 + 18 * len(curves)
    span = max(math.log10(sizes[-1] / sizes[0]), 0.01) if len(sizes) > 1 else 1.0

    def at(size: int, value: float) -> tuple[float, float]:
        return 80 + 460 * math.log10(size / sizes[0]) / span, foot - 160 * value / most

    parts = [f'<path d="M80 {_HEAD + 10}V{foot}H560" fill="none" stroke="#888"/>']
    parts += [_text(at(size, 0)[0], foot + 18, f"{size:,}", anchor="middle") for size in sizes]
    parts.append(_text(72, foot - 156, _format_number(most), anchor="end"))
    for place, (name, points) in enumerate(curves.items()):
        colour, spots = _COLOURS[place % len(_COLOURS)], [at(*point) for point in sorted(points.items())]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in spots]
        last = points[max(points)] if points else 0.0
        y = foot + 42 + 18 * place
        parts.append(f'<rect x="80" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(100, y, f"{name}: {_format_number(last)} {unit} at the last"))
    return _svg(title, height, parts)


def flame_graph(title: str, root: Any) -> str:
    """A flame graph from the top down; widths are times. Frames too thin to read are left out."""
    scale, parts, deepest = (_WIDE - 28) / (root.seconds or 1.0), [], 0
    for flame, before, depth in _layout(root, 0.0, 0, least=_THIN / scale):
        deepest = max(deepest, depth)
        share = f"{flame.name}: {100 * flame.seconds / (root.seconds or 1.0):.1f} %"
        parts.append(_flame(flame.name, share, (14 + before * scale, _HEAD + depth * _FLAME), flame.seconds * scale))
    return _svg(title, _HEAD + (deepest + 1) * _FLAME + 8, parts, width=_WIDE)


def _layout(flame: Any, before: float, depth: int, *, least: float) -> Iterator[tuple[Any, float, int]]:
    """Each function with its offset in seconds and its depth."""
    yield flame, before, depth
    for below in sorted(flame.below.values(), key=lambda one: -one.seconds):
        if below.seconds >= least:
            yield from _layout(below, before, depth + 1, least=least)
        before += below.seconds


def _flame(name: str, share: str, place: tuple[float, int], width: float) -> str:
    x, y = place
    module, _space, function = name.rpartition(" ")
    colour = _COLOURS[0 if module.startswith(_OURS) else 2 if module.startswith("django") else 1]
    label = escape(f"{function} {module}"[: int(width / 6.2)]) if width > _FLAME else ""
    box = f'<rect class="f" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_FLAME - 1}" fill="{colour}"/>'
    return f'<g><title>{escape(share)}</title>{box}<text class="l" x="{x + 3:.1f}" y="{y + 12}">{label}</text></g>'


def _svg(title: str, height: int, parts: Sequence[str], *, width: int = _WIDTH) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    plain = f'<rect class="p" width="{width}" height="{height}"/>'
    body = "\n".join([f"<title>{escape(title)}</title><style>{_STYLE}</style>", plain, _text(14, 24, title), *parts])
    return f"{head}\n{body}\n</svg>\n"


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
