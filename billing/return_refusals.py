"""Refusals about returns."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Refusal


class ReturnOpen(Refusal):
    """The order already has a return in progress."""

    code, title = "return_open", _("A return for this order is in progress; confirm or refuse it first.")


class ReturnClosed(Refusal):
    """The return is decided, or its deadline has passed."""

    code, title = "return_closed", _("This return has already been decided, or the deadline has passed.")


class NotReturnable(Refusal):
    """Nothing of the order is left to return, or the return period is over."""

    code, title = "not_returnable", _("This order can no longer be returned.")
