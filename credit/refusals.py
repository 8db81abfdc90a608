"""Why a service is not opened or closed now."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Refusal


class ServicePaused(Refusal):
    """The merchant takes no new people or orders for this service now."""

    code, title = "service_paused", _("This service takes nothing new at the moment.")


class AgreementState(Refusal):
    """The agreement is not in a state in which this can happen."""

    code, title = "agreement_state", _("The agreement does not allow this now.")


class TermsChanged(Refusal):
    """What was agreed to is not what is asked for any more."""

    code, title = "terms_changed", _("The merchant has changed the terms meanwhile. Please look at them again.")


class AlreadyOpened(Refusal):
    """One person opens one service once."""

    code, title = "agreement_exists", _("This person has opened this service already.")


class MeantForAnother(Refusal):
    """The merchant asks it of whoever signs in by one phone number, and this is somebody else."""

    code, status = "meant_for_another", 403
    title = _("The merchant asks this of somebody else: sign in with the phone number that you gave them.")
