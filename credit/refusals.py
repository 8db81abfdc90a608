"""Why a service is not opened or closed now."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Refusal


class ServicePaused(Refusal):
    """The merchant takes no new people or orders for this service now."""

    code, title = "service_paused", _("This service is paused and accepts no new agreements or orders.")


class AgreementState(Refusal):
    """The agreement is not in a state in which this can happen."""

    code, title = "agreement_state", _("The agreement's current state does not allow this.")


class TermsChanged(Refusal):
    """What was agreed to is not what is asked for any more."""

    code, title = "terms_changed", _("The merchant has changed the terms. Please review them again.")


class AlreadyOpened(Refusal):
    """One person opens one service once."""

    code, title = "agreement_exists", _("This person has already opened this service.")


class MeantForAnother(Refusal):
    """The merchant asks it of whoever signs in by one phone number, and this is somebody else."""

    code, status = "meant_for_another", 403
    title = _("This request is for a different person. Sign in with the phone number you gave the merchant.")
