"""Why an account or an identity is not what was asked for."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Invalid, Refusal


class InvalidPhone(Invalid):
    """Not a number that a text message can reach."""

    code = "invalid_phone"
    title = _(
        "This is not a valid mobile number. Use digits 0 to 9, and +country code for numbers outside mainland China."
    )
    field = "/phone"


class PhoneTaken(Refusal):
    """One phone belongs to one person."""

    code, title = "phone_taken", _("This phone number is already in use.")


class RefTaken(Refusal):
    """A reference names one person of its realm."""

    code, title = "ref_taken", _("This reference is already used for another person.")


class NotTheirPhone(Refusal):
    """A code came back from a number that signs this user in no more."""

    code, status, title = "not_their_phone", 403, _("This phone number no longer signs in to this account.")


class InvalidName(Invalid):
    """Empty, too long, or not text."""

    code, title = "invalid_name", _("A name must have 1 to 50 characters and no line breaks.")


class InvalidZone(Invalid):
    """Not a time zone of the IANA list."""

    code, title = "invalid_zone", _("No such time zone.")


class InvalidIdNumber(Invalid):
    """Wrong length, region, date or check character."""

    code, title = "invalid_id_number", _("Enter a valid resident ID number.")


class IdNumberTaken(Refusal):
    """One ID number belongs to one person."""

    code, title = "id_number_taken", _("This ID number is already in use by another account.")


class UnderAge(Refusal):
    """The law and the contract want an adult."""

    code, status, title = "under_age", 403, _("You must be 18 or older.")


class AlreadyVerified(Refusal):
    """A real-name record is made once."""

    code, title = "already_verified", _("Identity already verified.")


class TriedEnough(Refusal):
    """Whoever may try any number of ID numbers learns which of them are known here."""

    code, status, title = "tried_enough", 429, _("Too many attempts today. Try again tomorrow.")


class SandboxOnly(Refusal):
    """People are made up in sandboxes; the live realm has real ones."""

    code, status, title = "sandbox_only", 403, _("Available in the sandbox only.")


class UsernameTaken(Refusal):
    """Colleagues sign in by different names."""

    code, title = "username_taken", _("This username is taken.")


class InvalidUsername(Invalid):
    """What no colleague is called."""

    code = "invalid_username"
    title = _(
        "A user name must have 2 to 32 lowercase letters, digits, dots, hyphens or underscores, starting with a letter."
    )


class UnknownRole(Invalid):
    """A role that no migration made."""

    code, title = "unknown_role", _("No such role.")


class WeakPassword(Invalid):
    """A password the validators of the settings do not take."""

    code, title = "weak_password", _("This password is too easy to guess.")


class LongPassword(Invalid):
    """One that no sign-in takes."""

    code, title = "long_password", _("A password can have up to 200 characters.")


class InvalidEmail(Invalid):
    """Not an address that somebody could sign in with."""

    code, title = "invalid_email", _("Enter a valid email address of up to 64 characters.")


class InvalidMail(Invalid):
    """Not an address that a mail can reach."""

    code, title = "invalid_mail", _("Enter a valid email address.")


class TooManyPasskeys(Refusal):
    """Ten are more than anybody has devices."""

    code, title = "too_many_passkeys", _("You already have 10 passkeys. Remove one first.")


class LastSupervisor(Refusal):
    """Somebody must be there to agree."""

    code, title = "last_supervisor", _("At least one supervisor is required. Make someone else a supervisor first.")


class OutsideHours(Refusal):
    """They are left in peace then."""

    code, title = "outside_hours", _("It is outside contact hours in this customer's time zone.")


class AskedEnough(Refusal):
    """Our notices and colleagues together."""

    code, title = (
        "asked_enough",
        _("This customer has already been contacted three times today. Contact them tomorrow at the earliest."),
    )


class LinkOver(Refusal):
    """A made-up person's sign-in link that was used, is too old, or was never ours."""

    code, status, title = "link_over", 410, _("It has already been used or has expired. Request a new one.")


class WordsMoved(Busy):
    """Whoever wrote these words for a notice had read older ones."""

    code, title = "words_moved", _("A newer version has been published. Review it first.")


class EnrolmentCodeOver(Refusal):
    """What was typed is not the newest code that this colleague was given, it is too old, or it was used."""

    code, status = "enrolment_code_over", 403
    title = _("The enrolment code is incorrect, expired or already used. Ask a supervisor for a new one.")
