"""Refusals about the state of a merchant."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Refusal


class WrongMerchantState(Refusal):
    """The merchant is in another state than the operation requires."""

    code, title = "merchant_state", _("The merchant is now at a different stage.")


class ChecksMissing(Refusal):
    """Not all onboarding checks have passed."""

    code, title = "checks_missing", _("Not all checks have passed yet.")


class NoActiveService(Refusal):
    """The merchant has no active service."""

    code, title = "nothing_offered", _("The merchant has no live service yet.")


class MerchantNotActive(Refusal):
    """The merchant is not onboarded yet, or suspended: nothing new can be opened; orders in progress continue."""

    code, title = "merchant_not_active", _("This merchant does not accept new business at the moment.")
