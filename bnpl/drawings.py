"""The parts of docs/ that are drawn from the code, so that they cannot say anything else."""

from collections.abc import Iterator

from django.apps import apps
from django.utils import translation

from bnpl.work.kind import plainly
from bnpl.work.kinds import KINDS
from kernel.lifecycle import Lifecycle
from kernel.refusal import Refusal
from ledger.postings import POSTINGS
from ledger.rules import CHART, CLEARING, CLEARING_ENTRY

HEAD = "<!-- Drawn from the code by `manage.py draw`; `make check` holds it to it. -->\n"


def drawings() -> dict[str, str]:
    """File name in docs/ → what it must say."""
    return {
        "lifecycles.md": HEAD + "\n".join(_lifecycles()) + "\n",
        "errors.md": HEAD + "\n".join(_errors()) + "\n",
        "chart-of-accounts.md": HEAD + "\n".join(_chart()) + "\n",
        "gauges.md": HEAD + "\n".join(_gauges()) + "\n",
    }


def moves_of(model: type[Lifecycle]) -> list[tuple[str, str, str]]:
    """`(source, target, verb)` of every transition, new rows first; a verb that stays in its state is no move."""
    found = [("", state, "") for state in model.begins]
    every = model._meta.get_field("state").get_all_transitions(model)  # type: ignore[misc]
    return sorted([*found, *((str(t.source), str(t.target), t.name) for t in every if t.target)])


def lives() -> list[type[Lifecycle]]:
    return [model for model in apps.get_models() if issubclass(model, Lifecycle)]


def _lifecycles() -> Iterator[str]:
    yield "# Lives\n"
    yield "A state moves only along these arrows: in the code by its transition, on a locked row; in PostgreSQL by the"
    yield "table `kernel_legalmove`, which a trigger asks before every change. Each move writes one line of history, in"
    yield "the same transaction, checked at commit.\n"
    for model in lives():
        yield f"## {model.__name__}\n"
        yield " ".join((model.__doc__ or "").split()) + "\n"
        yield "```mermaid\nstateDiagram-v2"
        moves = moves_of(model)
        for source, target, verb in moves:
            yield f"    {source or '[*]'} --> {target}" + (f": {verb}" if verb else "")
        sources = {source for source, _, _ in moves}
        for target in sorted({target for _, target, _ in moves} - sources):
            yield f"    {target} --> [*]"
        yield "```\n"


def refusals() -> list[type[Refusal]]:
    """Every refusal there is, by its code."""
    found, left = {}, [Refusal]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        found[kind.code] = kind
    return [found[code] for code in sorted(found)]


def _errors() -> Iterator[str]:
    yield "# Errors\n"
    yield "Every refusal is `application/problem+json` (RFC 9457) with a stable `code`, and nothing was changed."
    yield "Where the last column says yes, the same request may succeed later, even under the same Idempotency-Key.\n"
    yield "| code | status | says | try again |\n|---|---|---|---|"
    with translation.override("en"):
        for kind in refusals():
            yield f"| `{kind.code}` | {kind.status} | {kind.title} | {'yes' if kind.passing else ''} |"


def _chart() -> Iterator[str]:
    yield "# Chart of accounts\n"
    yield "Every posting names two of these, an amount above zero, and its cause; one cause posts once. There are no"
    yield "balance rows: a balance is a sum, so no row is ever hot.\n"
    yield "| account | kind | one for each | holds |\n|---|---|---|---|"
    for code, entry in {**CHART, f"{CLEARING}<channel>": CLEARING_ENTRY}.items():
        yield f"| `{code}` | {entry.kind} | {entry.owner if entry.owner != 'none' else '–'} | {entry.holds} |"
    yield "\n## What happens, and what is booked\n"
    yield "| event | kind | debit → credit |\n|---|---|---|"
    for event, kind, moves in POSTINGS:
        yield f"| {event} | `{kind}` | {moves} |"


def _gauges() -> Iterator[str]:
    yield "# Work under way\n"
    yield "What may wait, how long, and what to do when it waits longer: in `/metrics`, at `/ops/work/` and by"
    yield "`manage.py work`. Thresholds stand in `bnpl/work/` and nowhere else.\n"
    yield "| work | is | late | stuck | because | when it is not ok |\n|---|---|---|---|---|---|"
    for name, kind in KINDS.items():
        late, stuck = ("" if limit is None else plainly(limit) for limit in (kind.late, kind.stuck))
        yield f"| `{name}` | {kind.says} | {late} | {stuck} | {kind.because} | {kind.do} |"
