"""Errors of opening and closing services."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Refusal


class ServicePaused(Refusal):
    """The service accepts no new agreements or orders now."""

    code, title = "service_paused", _("This service is paused and accepts no new agreements or orders.")


class AgreementState(Refusal):
    """The agreement's state does not allow this."""

    code, title = "agreement_state", _("The agreement's current state does not allow this.")


class TermsChanged(Refusal):
    """The terms have changed since they were shown."""

    code, title = "terms_changed", _("The merchant has changed the terms. Please review them again.")


class AlreadyOpened(Refusal):
    """The person has opened this service already."""

    code, title = "agreement_exists", _("This person has already opened this service.")


class MeantForAnother(Refusal):
    """The agreement is addressed to another phone number."""

    code, status = "meant_for_another", 403
    title = _("This request is for a different person. Sign in with the phone number you gave the merchant.")
