"""Pages for proofs: a person chooses, shows and revokes them; anybody can verify them without signing in."""

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

from accounts.visitor import Visitor, person_page
from kernel.clock import live_now
from kernel.documents import Document, FieldList, Size, Text, render_pdf
from kernel.forms import new_form_token
from kernel.refusal import Refusal
from kernel.templatetags.formatting import format_period, moment
from personal import queries, rules, signing
from personal.models import Proof
from personal.qr_code import qr_code_svg
from personal.services.proofs import issue_proof, revoke_proof

KEYS_MAX_AGE_SECONDS = 3600


@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def proofs(visitor: Visitor) -> HttpResponse:
    """The facts to choose from, and the proofs issued so far."""
    if visitor.request.method != "POST":
        return _render_list(visitor)
    chosen, days = visitor.request.POST.getlist("fact"), visitor.posted("days")
    try:
        if not visitor.claim_submission("proof"):
            return redirect("proofs")
        with visitor.allow_resubmission():
            proof = issue_proof(visitor.person.id, chosen, _parse_days(days), by=visitor.actor, at=live_now())
    except Refusal as refusal:
        return _render_list(visitor, refusal=refusal, chosen=chosen, days=days)
    return redirect("show_proof", proof.public_id)


@require_safe
@person_page
def show_proof(visitor: Visitor, proof: str) -> HttpResponse:
    """One proof: its facts, and a QR code to verify it."""
    row, at = _own_proof(visitor, proof), live_now()
    status = queries.check_statement(row.reveal_statement(), at=at)
    return visitor.render(
        "personal/proof.html",
        proof=row,
        good=row.is_valid(at),
        state="revoked" if row.revoked_at else status.state,
        facts=format_facts(status.claims.get("facts", {})),
        test=status.claims.get("test"),
        path=_check_path(row),
        code=qr_code_svg(_check_url(row), title=_("QR code of this proof")) if row.is_valid(at) else "",
    )


@require_POST
@person_page
def revoke(visitor: Visitor, proof: str) -> HttpResponse:
    key = visitor.parse_id(Proof.prefix, proof)
    revoke_proof(visitor.person.id, key, by=visitor.actor, at=live_now())
    messages.success(visitor.request, _("Revoked. From now on verification shows it as invalid."))
    return redirect("proofs")


@require_safe
@person_page
def proof_json(visitor: Visitor, proof: str) -> HttpResponse:
    """The statement for programs."""
    row = _own_proof(visitor, proof)
    keys = settings.BASE_URL + reverse("proof_keys")
    claims = queries.check_statement(row.reveal_statement(), at=live_now()).claims
    answer = JsonResponse(
        {"statement": row.reveal_statement(), "says": claims, "check": _check_url(row), "keys": keys},
        json_dumps_params={"ensure_ascii": False, "indent": 2},
    )
    answer["Content-Disposition"] = 'attachment; filename="proof.json"'
    return answer


@require_safe
@person_page
def proof_pdf(visitor: Visitor, proof: str) -> HttpResponse:
    row = _own_proof(visitor, proof)
    claims = queries.check_statement(row.reveal_statement(), at=live_now()).claims
    until = strip_tags(moment(row.expires_at))
    warning = [Text(_("From a sandbox: about a test user."))] if claims.get("test") else []
    paper = Document(
        title=_("Certificate of kept promises"),
        subtitle=f"{strip_tags(moment(row.issued_at))} – {until}",
        created_at=row.issued_at,
        issuer=_("Use now, pay later"),
        size=Size.A4,
        blocks=[
            *warning,
            FieldList([(name, value) for name, value in format_facts(claims.get("facts", {}))]),
            Text(_check_url(row), title=_("Verify at")),
            Text(row.reveal_statement(), title=_("The signed statement")),
        ],
    )
    answer = HttpResponse(render_pdf(paper), content_type="application/pdf")
    answer["Content-Disposition"] = 'attachment; filename="proof.pdf"'
    return answer


@require_safe
@never_cache
def check_form(request: HttpRequest) -> HttpResponse:
    """The public form to verify a pasted statement or proof URL."""
    pasted = "".join(request.GET.get("statement", "").split()).rpartition("/")[2]
    if pasted and len(pasted) <= signing.LENGTH_MAX:
        return redirect("checked_proof", pasted)
    return _public_page(request, "personal/check.html", {"too_long": bool(pasted)})


@require_safe
@never_cache
def check_result(request: HttpRequest, statement: str) -> HttpResponse:
    """The status of a statement, as a page or as JSON."""
    status = queries.check_statement(statement, at=live_now())
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        facts_json = {"says": status.claims} if status.state == "valid" else {}
        return _without_referrer(
            JsonResponse({"state": status.state, **facts_json}, json_dumps_params={"ensure_ascii": False})
        )
    facts = format_facts(status.claims.get("facts", {})) if status.state == "valid" else []
    return _public_page(request, "personal/checked.html", {"found": status, "facts": facts})


@require_safe
@cache_control(public=True, max_age=KEYS_MAX_AGE_SECONDS)
def public_keys(request: HttpRequest) -> HttpResponse:
    """The public keys to verify statements with."""
    del request
    answer = JsonResponse(signing.public_key_set(), content_type="application/jwk-set+json")
    answer["Access-Control-Allow-Origin"] = "*"
    return answer


def format_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The label and the formatted value of each fact, in the active language."""
    return [(_LABELS[name](), _FORMATTERS[name](facts[name])) for name in rules.FACTS if name in facts]


_BAND_LABELS = {
    "S": lambda: _("excellent"),
    "A": lambda: _("very good"),
    "B": lambda: _("good"),
    "C": lambda: _("fair"),
    "D": lambda: _("low"),
}
_LABELS = {
    "band": lambda: _("Score"),
    "member_since": lambda: _("Member since"),
    "promises_kept": lambda: _("Promises kept"),
    "kept_since": lambda: _("No overdue payments since"),
    "nothing_overdue": lambda: _("Overdue when issued"),
    "verified": lambda: _("Identity"),
    "name": lambda: _("Verified identity"),
}
_FORMATTERS: dict[str, Callable[[Any], str]] = {
    "band": lambda value: _BAND_LABELS[value](),
    "member_since": format_period,
    "promises_kept": lambda value: ngettext("%(n)d order", "%(n)d orders", value) % {"n": value},
    "kept_since": format_period,
    "nothing_overdue": lambda _value: _("nothing"),
    "verified": lambda _value: _("identity verified"),
    "name": str,
}


def _own_proof(visitor: Visitor, proof: str) -> Proof:
    return queries.proof_of(visitor.person.id, visitor.parse_id(Proof.prefix, proof))


def _check_url(row: Proof) -> str:
    return settings.BASE_URL + _check_path(row)


def _check_path(row: Proof) -> str:
    return reverse("checked_proof", args=[row.reveal_statement()]) if row.statement_sealed else reverse("check_proof")


def _render_list(
    visitor: Visitor, *, refusal: Refusal | None = None, chosen: list[str] | None = None, days: str = ""
) -> HttpResponse:
    now = live_now()
    known_facts = queries.provable_facts(visitor.person)
    selected = set(known_facts) - {"name"} if chosen is None else set(chosen)
    return visitor.render(
        "personal/proofs.html",
        status=refusal.status if refusal else 200,
        offered=[
            (name, *words, name in selected)
            for name, words in zip(_ordered_names(known_facts), format_facts(known_facts), strict=True)
        ],
        proofs=[(row, row.is_valid(now)) for row in queries.proofs_of(visitor.person.id)],
        spans=rules.PROOF_DAYS,
        days=_parse_days(days) or rules.PROOF_DAYS[1],
        token=new_form_token(),
        refusal=refusal,
    )


def _parse_days(text: str) -> int:
    """One of the offered periods; 0 for any other value."""
    return next((days for days in rules.PROOF_DAYS if str(days) == text), 0)


def _ordered_names(facts: Mapping[str, Any]) -> list[str]:
    return [name for name in rules.FACTS if name in facts]


def _public_page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A public page; its times are in the platform's time zone."""
    with timezone.override(settings.CONSOLE_ZONE):
        return _without_referrer(render(request, template, context))


def _without_referrer(answer: HttpResponse) -> HttpResponse:
    """Send no referrer from pages that contain a proof."""
    answer["Referrer-Policy"] = "no-referrer"
    return answer
