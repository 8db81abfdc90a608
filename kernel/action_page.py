"""The page of one console action: its preview, its form, and running it with its lines in the audit log."""

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect

from kernel.console_actions import ActionResult, Colleague, ReasonForm, StrOrPromise, add_errors
from kernel.refusal import Refusal


def render_action(
    colleague: Colleague,
    label: StrOrPromise,
    *,
    about: str,
    back: str,
    form: ReasonForm,
    preview: Callable[[], StrOrPromise],
    run: Callable[[dict[str, Any]], "StrOrPromise | ActionResult"],
    preview_moves: Callable[[dict[str, Any]], Sequence[Any]] | None = None,
    template: str = "console/action.html",
    **extra_context: Any,
) -> HttpResponse:
    """Render and process the page of one action: preview, reason and button. A second submission has no effect.

    `preview_moves` returns the ledger moves the action would make with this form data.
    """
    is_preview = preview_moves is not None and colleague.posted("step") == "look"
    if colleague.is_post and not is_preview and form.is_valid():
        try:
            if colleague.claim_submission():
                result = _perform(colleague, about, run, form)
                colleague.add_message(result.message, is_done=result.is_done)
        except Refusal as refusal:
            add_errors(form, refusal)
        else:
            return redirect(back)
    context = {"about": about, "label": label, "back": back, "form": form, **extra_context}
    try:
        context["description"] = preview()
    except Refusal as refusal:
        context["refused"] = refusal.detail
    else:
        context |= _preview_postings(form, preview_moves, is_preview=is_preview) if preview_moves is not None else {}
    return colleague.render(template, label, status=422 if form.errors else 200, **context)


def _preview_postings(
    form: ReasonForm, moves: Callable[[dict[str, Any]], Sequence[Any]], *, is_preview: bool
) -> dict[str, Any]:
    """The context for the preview of ledger moves: on request, or at once if the form asks only for the reason."""
    asks_more = set(form.fields) != {"note"}
    data: dict[str, Any] | None = None if asks_more or form.is_bound else {"note": "…"}
    if is_preview and form.is_valid():
        data = form.cleaned_data
    if data is None:
        return {"asks_more": asks_more}
    try:
        return {"asks_more": asks_more, "looked": True, "moves": moves(data)}
    except Refusal as refusal:
        add_errors(form, refusal) if form.is_bound else None
        return {"asks_more": asks_more, "refused": "" if form.is_bound else refusal.detail}


def run_follow_up(result: "StrOrPromise | ActionResult") -> ActionResult:
    """Run the result's follow-up, if it has one. Returns what is to be shown."""
    if not isinstance(result, ActionResult):
        return ActionResult(result)
    known = result.follow_up() if result.follow_up is not None else None
    return known if isinstance(known, ActionResult) else result


def audited_note(note: str, *, is_erasable: bool) -> tuple[str, dict[str, Any]]:
    """What the audit log keeps of a note: its text, or only its length if the text is stored elsewhere and erasable."""
    return ("", {"note_length": len(note)}) if is_erasable and note else (note, {})


def _perform(
    colleague: Colleague,
    about: str,
    run: Callable[[dict[str, Any]], "StrOrPromise | ActionResult"],
    form: ReasonForm,
) -> ActionResult:
    """Run the action, with a line in the audit log before and after it. Returns what is to be shown."""
    match, data = colleague.request.resolver_match, form.cleaned_data
    act = (match.kwargs.get("name") if match and match.url_name == "verb" else match and match.url_name) or "deed"
    why, details = audited_note(data["note"], is_erasable=form.is_note_erasable)
    details |= {name: str(value) for name, value in data.items() if name != "note"}
    try:
        with colleague.allow_resubmission():
            colleague.audit(f"{act}", about, why, **details)
            result = run(data)
        shown = run_follow_up(result)
    except Refusal as refusal:
        colleague.audit(f"{act}.refused", about, code=refusal.code)
        raise
    colleague.audit(f"{act}.done", about, said=str(shown.message))
    if isinstance(result, ActionResult) and result.secret:
        colleague.add_message(result.secret)
    return shown
