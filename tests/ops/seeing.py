"""What a colleague sees of the work under way at a moment."""

from datetime import datetime, timedelta

from bnpl.work.figures import Figure, under_way


def figures(at: datetime) -> dict[tuple[str, str, str], Figure]:
    return {(figure.work, figure.mode, figure.of): figure for figure in under_way(real=at)}


def waiting(work: str, at: datetime, *, mode: str = "test", of: str = "") -> tuple[int | None, timedelta | None, str]:
    """How many, for how long, and how that is judged."""
    figure = figures(at)[work, mode, of]
    return figure.items, figure.oldest, figure.word
