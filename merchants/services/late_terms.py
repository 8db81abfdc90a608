"""Checking the late terms of services against the platform's policy, and new versions of that policy."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kernel.policy_versions import reason_errors
from kernel.refusal import FieldError, Invalid
from merchants import queries
from merchants.models import Service
from merchants.rules import LateBounds
from merchants.rules.late_terms import POLICY_RANGES, STANDARD_GRACE, out_of_range_fields

_AT_MOST = _("The platform policy allows at most {bound} basis points.")
#: For each column: its JSON pointer in the API, the field of the policy that bounds it, and the error message.
_FIELD_MESSAGES = {
    "grace": ("/grace_hours", "grace_hours_least", _("The platform policy requires at least {bound} hours.")),
    "late_fee_daily_bps": ("/late_fee_daily_bps", "daily_bps_most", _AT_MOST),
    "late_fee_cap_bps": ("/late_fee_cap_bps", "cap_bps_most", _AT_MOST),
}


def apply_late_policy(terms: Mapping[str, Any], *, before: Service | None = None, at: datetime) -> dict[str, Any]:
    """Check the changed terms of a service against the policy in force, and return the terms to save.

    A new service without a grace period gets the standard one, or the policy's minimum if that is longer.

    Raises:
        Invalid: the terms are harsher than the policy in force permits.
    """
    bounds = queries.late_bounds(at)
    changed = {name: value for name, value in terms.items() if before is None or getattr(before, name) != value}
    violations = list(bounds.violations(changed))
    if violations:
        raise Invalid(errors=[_policy_error(name, bounds) for name in violations])
    defaults = {"grace": max(STANDARD_GRACE, bounds.grace_least)} if before is None else {}
    return defaults | dict(terms)


def validate_late_terms(policy_terms: Mapping[str, Any], reason: str) -> None:
    """Check the terms and the reason of a new policy version.

    Raises:
        Invalid: they cannot be published; `errors` says why.
    """
    errors = []
    for name in out_of_range_fields(LateBounds.from_terms(policy_terms)):
        low, high = POLICY_RANGES[name]
        errors.append(FieldError(f"/{name}", format_lazy(_("Whole numbers from {low} to {high}."), low=low, high=high)))
    errors += reason_errors(reason)
    if errors:
        raise Invalid(errors=errors)


def _policy_error(name: str, bounds: LateBounds) -> FieldError:
    """The error for one column, with the limit that the policy sets."""
    pointer, bound_field, message = _FIELD_MESSAGES[name]
    return FieldError(pointer, format_lazy(message, bound=getattr(bounds, bound_field)))
