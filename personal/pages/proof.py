"""Proofs: chosen, shown and revoked by their person; checked by anybody, signed in or not."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.visitor import Visitor, for_person
from kernel.clock import live_now
from kernel.forms import new_token
from kernel.paper import Facts, Paper, Size, Text, pdf_of
from kernel.refusal import Refusal
from kernel.templatetags.house import dated, moment
from personal import queries, rules, signing
from personal.drawing import drawn
from personal.models import Proof
from personal.services import proof as verbs

KEYS_KEPT_SECONDS = 3600


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def proofs(visitor: Visitor) -> HttpResponse:
    """Which facts there are to choose from, and the proofs that were given out."""
    if visitor.request.method != "POST":
        return _list(visitor)
    chosen, days = visitor.request.POST.getlist("fact"), visitor.sent("days")
    try:
        if not visitor.sends_first("proof"):
            return redirect("proofs")
        with visitor.sends_again():
            made = verbs.issue_proof(visitor.person.id, chosen, _days(days), by=visitor.actor, at=live_now())
    except Refusal as refusal:
        return _list(visitor, refusal=refusal, chosen=chosen, days=days)
    return redirect("show_proof", made.public_id)


@require_safe
@for_person
def shown(visitor: Visitor, proof: str) -> HttpResponse:
    """One proof, to show: what it says, and what a camera can check it by."""
    row, at = _mine(visitor, proof), live_now()
    judged = queries.judged(row.reveal_statement(), at=at)
    return visitor.show(
        "personal/proof.html",
        proof=row,
        good=row.good(at),
        state="revoked" if row.revoked_at else judged.state,
        facts=told(judged.claims.get("facts", {})),
        test=judged.claims.get("test"),
        path=_path(row),
        code=drawn(_link(row), title=_("QR code of this proof")) if row.good(at) else "",
    )


@require_POST
@for_person
def revoke(visitor: Visitor, proof: str) -> HttpResponse:
    key = visitor.named(Proof.prefix, proof)
    verbs.revoke_proof(visitor.person.id, key, by=visitor.actor, at=live_now())
    messages.success(visitor.request, _("Revoked. From now on verification shows it as invalid."))
    return redirect("proofs")


@require_safe
@for_person
def as_json(visitor: Visitor, proof: str) -> HttpResponse:
    """The statement as programs take it."""
    row = _mine(visitor, proof)
    keys = settings.BASE_URL + reverse("proof_keys")
    claims = queries.judged(row.reveal_statement(), at=live_now()).claims
    answer = JsonResponse(
        {"statement": row.reveal_statement(), "says": claims, "check": _link(row), "keys": keys},
        json_dumps_params={"ensure_ascii": False, "indent": 2},
    )
    answer["Content-Disposition"] = 'attachment; filename="proof.json"'
    return answer


@require_safe
@for_person
def as_pdf(visitor: Visitor, proof: str) -> HttpResponse:
    row = _mine(visitor, proof)
    claims = queries.judged(row.reveal_statement(), at=live_now()).claims
    until = strip_tags(moment(row.expires_at))
    warning = [Text(_("From a sandbox: about a test user."))] if claims.get("test") else []
    paper = Paper(
        title=_("Certificate of kept promises"),
        about=f"{strip_tags(moment(row.issued_at))} – {until}",
        at=row.issued_at,
        name=_("Use now, pay later"),
        size=Size.A4,
        blocks=[
            *warning,
            Facts([(name, value) for name, value in told(claims.get("facts", {}))]),
            Text(_link(row), title=_("Verify at")),
            Text(row.reveal_statement(), title=_("The signed statement")),
        ],
    )
    answer = HttpResponse(pdf_of(paper), content_type="application/pdf")
    answer["Content-Disposition"] = 'attachment; filename="proof.pdf"'
    return answer


@require_safe
@never_cache
def check(request: HttpRequest) -> HttpResponse:
    """Anybody pastes a statement, or the address on a proof."""
    pasted = "".join(request.GET.get("statement", "").split()).rpartition("/")[2]
    if pasted and len(pasted) <= signing.LENGTH_MAX:
        return redirect("checked_proof", pasted)
    return _public(request, "personal/check.html", {"too_long": bool(pasted)})


@require_safe
@never_cache
def checked(request: HttpRequest, statement: str) -> HttpResponse:
    """Whether it counts, to people as a page and to programs as JSON."""
    found = queries.judged(statement, at=live_now())
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        said = {"says": found.claims} if found.state == "valid" else {}
        return _sealed_off(JsonResponse({"state": found.state, **said}, json_dumps_params={"ensure_ascii": False}))
    facts = told(found.claims.get("facts", {})) if found.state == "valid" else []
    return _public(request, "personal/checked.html", {"found": found, "facts": facts})


@require_safe
@cache_control(public=True, max_age=KEYS_KEPT_SECONDS)
def keys(request: HttpRequest) -> HttpResponse:
    """The keys by which anybody checks a statement without asking us."""
    del request
    answer = JsonResponse(signing.published(), content_type="application/jwk-set+json")
    answer["Access-Control-Allow-Origin"] = "*"
    return answer


def told(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What each fact is called, and what it says, in the language of the page."""
    return [(_NAMES[name](), _SAID[name](facts[name])) for name in rules.FACTS if name in facts]


_BANDS = {
    "S": lambda: _("excellent"),
    "A": lambda: _("very good"),
    "B": lambda: _("good"),
    "C": lambda: _("fair"),
    "D": lambda: _("low"),
}
_NAMES = {
    "band": lambda: _("Score"),
    "member_since": lambda: _("Member since"),
    "promises_kept": lambda: _("Promises kept"),
    "kept_since": lambda: _("No overdue payments since"),
    "nothing_overdue": lambda: _("Overdue when issued"),
    "verified": lambda: _("Identity"),
    "name": lambda: _("Verified identity"),
}
_SAID: dict[str, Callable[[Any], str]] = {
    "band": lambda value: _BANDS[value](),
    "member_since": dated,
    "promises_kept": lambda value: ngettext("%(n)d order", "%(n)d orders", value) % {"n": value},
    "kept_since": dated,
    "nothing_overdue": lambda _value: _("nothing"),
    "verified": lambda _value: _("identity verified"),
    "name": str,
}


def _mine(visitor: Visitor, proof: str) -> Proof:
    return queries.proof_of(visitor.person.id, visitor.named(Proof.prefix, proof))


def _link(row: Proof) -> str:
    return settings.BASE_URL + _path(row)


def _path(row: Proof) -> str:
    return reverse("checked_proof", args=[row.reveal_statement()]) if row.statement_sealed else reverse("check_proof")


def _list(
    visitor: Visitor, *, refusal: Refusal | None = None, chosen: list[str] | None = None, days: str = ""
) -> HttpResponse:
    now = live_now()
    known = queries.provable(visitor.person)
    picked = set(known) - {"name"} if chosen is None else set(chosen)
    return visitor.show(
        "personal/proofs.html",
        status=refusal.status if refusal else 200,
        offered=[(name, *words, name in picked) for name, words in zip(_in_order(known), told(known), strict=True)],
        proofs=[(row, row.good(now)) for row in queries.proofs_of(visitor.person.id)],
        spans=rules.PROOF_DAYS,
        days=_days(days) or rules.PROOF_DAYS[1],
        token=new_token(),
        refusal=refusal,
    )


def _days(text: str) -> int:
    """One of the spans that are offered; 0 for whatever else somebody sent."""
    return next((days for days in rules.PROOF_DAYS if str(days) == text), 0)


def _in_order(known: Mapping[str, Any]) -> list[str]:
    return [name for name in rules.FACTS if name in known]


def _public(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A page for whoever it may be: its times are those of the place where this house stands."""
    with timezone.override(settings.CONSOLE_ZONE):
        return _sealed_off(render(request, template, context))


def _sealed_off(answer: HttpResponse) -> HttpResponse:
    """No page that a proof leads to learns where somebody came from."""
    answer["Referrer-Policy"] = "no-referrer"
    return answer
