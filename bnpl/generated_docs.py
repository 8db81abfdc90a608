"""The files of docs/ that are generated from the code by `manage.py draw`, so that they cannot go stale."""

from collections.abc import Iterator

from django.apps import apps
from django.utils import translation

from bnpl.work.catalog import WORK_KINDS
from bnpl.work.work_kind import format_limit
from kernel.lifecycle import Lifecycle
from kernel.refusal import Refusal
from ledger.accounts import CHART, CLEARING_ENTRY, CLEARING_PREFIX
from ledger.posting_kinds import POSTING_RULES

HEAD = "<!-- Generated from the code by `manage.py draw`; `make check` fails if it is out of date. -->\n"


def generate_docs() -> dict[str, str]:
    """File name in docs/ → its generated content."""
    return {
        "lifecycles.md": HEAD + "\n".join(_render_lifecycles()) + "\n",
        "errors.md": HEAD + "\n".join(_render_errors()) + "\n",
        "chart-of-accounts.md": HEAD + "\n".join(_render_chart()) + "\n",
        "gauges.md": HEAD + "\n".join(_render_gauges()) + "\n",
    }


def transitions_of(model: type[Lifecycle]) -> list[tuple[str, str, str]]:
    """`(source, target, name)` of every transition that changes the state, creation first."""
    initial = [("", state, "") for state in model.initial_states]
    transitions = model._meta.get_field("state").get_all_transitions(model)  # type: ignore[misc]
    return sorted([*initial, *((str(t.source), str(t.target), t.name) for t in transitions if t.target)])


def lifecycle_models() -> list[type[Lifecycle]]:
    return [model for model in apps.get_models() if issubclass(model, Lifecycle)]


def _render_lifecycles() -> Iterator[str]:
    yield "# Lifecycles\n"
    yield "A state changes only along these arrows: in the code by a transition on a locked row; in PostgreSQL a"
    yield "trigger checks every change against the table `kernel_legalmove`. Each transition writes one row of history"
    yield "in the same transaction, checked at commit.\n"
    for model in lifecycle_models():
        yield f"## {model.__name__}\n"
        yield " ".join((model.__doc__ or "").split()) + "\n"
        yield "```mermaid\nstateDiagram-v2"
        transitions = transitions_of(model)
        for source, target, name in transitions:
            yield f"    {source or '[*]'} --> {target}" + (f": {name}" if name else "")
        sources = {source for source, _, _ in transitions}
        for target in sorted({target for _, target, _ in transitions} - sources):
            yield f"    {target} --> [*]"
        yield "```\n"


def refusal_classes() -> list[type[Refusal]]:
    """Every refusal, sorted by code."""
    by_code, pending = {}, [Refusal]
    while pending:
        refusal = pending.pop()
        pending += refusal.__subclasses__()
        by_code[refusal.code] = refusal
    return [by_code[code] for code in sorted(by_code)]


def _render_errors() -> Iterator[str]:
    yield "# Errors\n"
    yield "Every refusal is `application/problem+json` (RFC 9457) with a stable `code`, and nothing was changed."
    yield "Where the last column says yes, the same request may succeed later, even under the same Idempotency-Key.\n"
    yield "| code | status | title | retry |\n|---|---|---|---|"
    with translation.override("en"):
        for kind in refusal_classes():
            yield f"| `{kind.code}` | {kind.status} | {kind.title} | {'yes' if kind.is_transient else ''} |"


def _render_chart() -> Iterator[str]:
    yield "# Chart of accounts\n"
    yield "Every posting names two of these, an amount above zero, and its cause; one cause posts once. There are no"
    yield "balance rows: a balance is a sum, so no row is ever hot.\n"
    yield "| account | kind | one for each | holds |\n|---|---|---|---|"
    for code, entry in {**CHART, f"{CLEARING_PREFIX}<channel>": CLEARING_ENTRY}.items():
        yield f"| `{code}` | {entry.kind} | {entry.owner if entry.owner != 'none' else '–'} | {entry.description} |"
    yield "\n## Postings of each event\n"
    yield "| event | kind | debit → credit |\n|---|---|---|"
    for event, kind, moves in POSTING_RULES:
        yield f"| {event} | `{kind}` | {moves} |"


def _render_gauges() -> Iterator[str]:
    yield "# Work in progress\n"
    yield "What may wait, how long, and what to do when it waits longer: in `/metrics`, at `/ops/work/` and by"
    yield "`manage.py work`. The thresholds are defined in `bnpl/work/` and nowhere else.\n"
    yield "| work | description | late | stuck | rationale | what to do |\n|---|---|---|---|---|---|"
    for name, kind in WORK_KINDS.items():
        late, stuck = ("" if limit is None else format_limit(limit) for limit in (kind.late, kind.stuck))
        yield f"| `{name}` | {kind.description} | {late} | {stuck} | {kind.rationale} | {kind.remedy} |"
