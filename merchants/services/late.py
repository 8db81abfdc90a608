"""What the house permits of late terms: services ask for no more, and what two colleagues may publish of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kernel.refusal import FieldError, Invalid
from kernel.versions import wrong_reason
from merchants import queries
from merchants.models import Service
from merchants.rules import LateBounds
from merchants.rules.late import SPANS, STANDARD_GRACE, wrong_in

_MOST = _("The platform policy allows at most {bound} basis points.")
#: Of each column: the contract's name for it, the part of the policy that bounds it, and how that is said.
_SAYS = {
    "grace": ("/grace_hours", "grace_hours_least", _("The platform policy requires at least {bound} hours.")),
    "late_fee_daily_bps": ("/late_fee_daily_bps", "daily_bps_most", _MOST),
    "late_fee_cap_bps": ("/late_fee_cap_bps", "cap_bps_most", _MOST),
}


def within_policy(terms: Mapping[str, Any], *, before: Service | None = None, at: datetime) -> dict[str, Any]:
    """The terms that a service is to have, of which only what changes is looked at.

    Who offers one and says nothing of its grace has the usual one, or what the policy asks for where that is longer.

    Raises:
        Invalid: it would be harsher on whoever is late than the policy in force permits.
    """
    bounds = queries.late_bounds(at)
    asked = {name: value for name, value in terms.items() if before is None or getattr(before, name) != value}
    beyond = list(bounds.beyond(asked))
    if beyond:
        raise Invalid(errors=[_refused(name, bounds) for name in beyond])
    unsaid = {"grace": max(STANDARD_GRACE, bounds.grace_least)} if before is None else {}
    return unsaid | dict(terms)


def judge_late_terms(plain: Mapping[str, Any], reason: str) -> None:
    """Whether these terms could be published.

    Raises:
        Invalid: they could not; `errors` says what is wrong.
    """
    errors = []
    for name in wrong_in(LateBounds.read(plain)):
        low, high = SPANS[name]
        errors.append(FieldError(f"/{name}", format_lazy(_("Whole numbers from {low} to {high}."), low=low, high=high)))
    errors += wrong_reason(reason)
    if errors:
        raise Invalid(errors=errors)


def _refused(name: str, bounds: LateBounds) -> FieldError:
    """By the contract's name, what the policy permits."""
    pointer, part, says = _SAYS[name]
    return FieldError(pointer, format_lazy(says, bound=getattr(bounds, part)))
