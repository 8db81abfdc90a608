"""Why an account or an identity is not what was asked for."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Invalid, Refusal


class InvalidPhone(Invalid):
    """Not a number that a text message can reach."""

    code = "invalid_phone"
    title = _("This is not a mobile number. Use the digits 0 to 9, and +country code if it is not Chinese.")
    field = "/phone"


class PhoneTaken(Refusal):
    """One phone belongs to one person."""

    code, title = "phone_taken", _("This phone number belongs to somebody already.")


class RefTaken(Refusal):
    """A reference names one person of its realm."""

    code, title = "ref_taken", _("This reference names another person already.")


class NotTheirPhone(Refusal):
    """A code came back from a number that signs this user in no more."""

    code, status, title = "not_their_phone", 403, _("This phone number signs in to another account, or to none.")


class InvalidName(Invalid):
    """Empty, too long, or not text."""

    code, title = "invalid_name", _("A name has 1 to 50 characters and no line breaks.")


class InvalidZone(Invalid):
    """Not a time zone of the IANA list."""

    code, title = "invalid_zone", _("There is no such time zone.")


class InvalidIdNumber(Invalid):
    """Wrong length, region, date or check character."""

    code, title = "invalid_id_number", _("This is not a valid resident ID number.")


class IdNumberTaken(Refusal):
    """One ID number belongs to one person."""

    code, title = "id_number_taken", _("This ID number belongs to another person already.")


class UnderAge(Refusal):
    """The law and the contract want an adult."""

    code, status, title = "under_age", 403, _("You must be 18 or older.")


class AlreadyVerified(Refusal):
    """A real-name record is made once."""

    code, title = "already_verified", _("This person's identity is verified already.")


class TriedEnough(Refusal):
    """Whoever may try any number of ID numbers learns which of them are known here."""

    code, status, title = "tried_enough", 429, _("You have tried this too often today. Try again tomorrow.")


class SandboxOnly(Refusal):
    """People are made up in sandboxes; the live realm has real ones."""

    code, status, title = "sandbox_only", 403, _("This exists in the sandbox only.")


class UsernameTaken(Refusal):
    """Colleagues sign in by different names."""

    code, title = "username_taken", _("This username is taken.")


class InvalidUsername(Invalid):
    """What no colleague is called."""

    code = "invalid_username"
    title = _("A user name has 2 to 32 small letters a to z, digits, dots, dashes or underscores, a letter first.")


class UnknownRole(Invalid):
    """A role that no migration made."""

    code, title = "unknown_role", _("There is no such role.")


class WeakPassword(Invalid):
    """A password the validators of the settings do not take."""

    code, title = "weak_password", _("This password is too easy to guess.")


class LongPassword(Invalid):
    """One that no sign-in takes."""

    code, title = "long_password", _("A password has at most 200 characters.")


class InvalidEmail(Invalid):
    """Not an address that somebody could sign in with."""

    code, title = "invalid_email", _("This is not an e-mail address of at most 64 characters.")


class InvalidMail(Invalid):
    """Not an address that a mail can reach."""

    code, title = "invalid_mail", _("This is not an e-mail address.")


class TooManyPasskeys(Refusal):
    """Ten are more than anybody has devices."""

    code, title = "too_many_passkeys", _("You have ten passkeys. Remove one first.")


class LastSupervisor(Refusal):
    """Somebody must be there to agree."""

    code, title = "last_supervisor", _("The last supervisor stays: make somebody else one first.")


class OutsideHours(Refusal):
    """They are left in peace then."""

    code, title = "outside_hours", _("At this hour, by their own clock, this person is not asked for money.")


class AskedEnough(Refusal):
    """Our notices and colleagues together."""

    code, title = "asked_enough", _("This person was asked for money three times today. Not before tomorrow.")


class LinkOver(Refusal):
    """A made-up person's sign-in link that was used, is too old, or was never ours."""

    code, status, title = "link_over", 410, _("It was used already, or it is too old. Ask for a new one.")


class WordsMoved(Busy):
    """Whoever wrote these words for a notice had read older ones."""

    code, title = "words_moved", _("Other words were published meanwhile: look at them first.")


class EnrolmentCodeOver(Refusal):
    """What was typed is not the newest code that this colleague was given, it is too old, or it was used."""

    code, status = "enrolment_code_over", 403
    title = _("This enrolment code is not right, too old, or used already. Ask a supervisor for a new one.")
