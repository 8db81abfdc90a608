"""Why a merchant is not let in, or nothing new is begun with one."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Refusal


class MerchantState(Refusal):
    """The merchant is at another step."""

    code, title = "merchant_state", _("The merchant is now at a different stage.")


class ChecksMissing(Refusal):
    """Something was not looked into yet, or did not come out well."""

    code, title = "checks_missing", _("Not all checks have passed yet.")


class NothingOffered(Refusal):
    """There would be nothing to order."""

    code, title = "nothing_offered", _("The merchant has no live service yet.")


class MerchantNotActive(Refusal):
    """The merchant is not let in yet, or is suspended: nothing new begins with them, and what is under way goes on."""

    code, title = "merchant_not_active", _("This merchant does not accept new business at the moment.")
