"""Refusals about accounts, identities and notices."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Invalid, Refusal


class InvalidPhone(Invalid):
    """The number cannot receive text messages."""

    code = "invalid_phone"
    title = _(
        "This is not a valid mobile number. Use digits 0 to 9, and +country code for numbers outside mainland China."
    )
    field = "/phone"


class PhoneTaken(Refusal):
    """The phone number belongs to another user."""

    code, title = "phone_taken", _("This phone number is already in use.")


class RefTaken(Refusal):
    """The reference belongs to another person of the realm."""

    code, title = "ref_taken", _("This reference is already used for another person.")


class PhoneNotOwned(Refusal):
    """The code was for a number that no longer belongs to this user."""

    code, status, title = "not_their_phone", 403, _("This phone number no longer signs in to this account.")


class InvalidName(Invalid):
    """The name is empty, too long, or not printable."""

    code, title = "invalid_name", _("A name must have 1 to 50 characters and no line breaks.")


class InvalidZone(Invalid):
    """Not a time zone of the IANA list."""

    code, title = "invalid_zone", _("No such time zone.")


class InvalidIdNumber(Invalid):
    """Wrong length, region, date or check character."""

    code, title = "invalid_id_number", _("Enter a valid resident ID number.")


class IdNumberTaken(Refusal):
    """The ID number belongs to another person of the realm."""

    code, title = "id_number_taken", _("This ID number is already in use by another account.")


class UnderAge(Refusal):
    """The person is a minor."""

    code, status, title = "under_age", 403, _("You must be 18 or older.")


class AlreadyVerified(Refusal):
    """The identity was verified already, which is done once."""

    code, title = "already_verified", _("Identity already verified.")


class TooManyAttempts(Refusal):
    """Too many attempts with ID numbers today: unlimited attempts would reveal which numbers are known here."""

    code, status, title = "tried_enough", 429, _("Too many attempts today. Try again tomorrow.")


class SandboxOnly(Refusal):
    """Fictional people exist in sandboxes only."""

    code, status, title = "sandbox_only", 403, _("Available in the sandbox only.")


class UsernameTaken(Refusal):
    """The username belongs to another user."""

    code, title = "username_taken", _("This username is taken.")


class InvalidUsername(Invalid):
    """The username has the wrong form."""

    code = "invalid_username"
    title = _(
        "A user name must have 2 to 32 lowercase letters, digits, dots, hyphens or underscores, starting with a letter."
    )


class UnknownRole(Invalid):
    """There is no such role."""

    code, title = "unknown_role", _("No such role.")


class WeakPassword(Invalid):
    """The password validators of the settings refuse it."""

    code, title = "weak_password", _("This password is too easy to guess.")


class LongPassword(Invalid):
    """The password is longer than sign-in forms accept."""

    code, title = "long_password", _("A password can have up to 200 characters.")


class InvalidEmail(Invalid):
    """Not an email address that can be used to sign in."""

    code, title = "invalid_email", _("Enter a valid email address of up to 64 characters.")


class InvalidMail(Invalid):
    """Not a valid email address for notices."""

    code, title = "invalid_mail", _("Enter a valid email address.")


class TooManyPasskeys(Refusal):
    """The user has the maximum number of passkeys."""

    code, title = "too_many_passkeys", _("You already have 10 passkeys. Remove one first.")


class LastSupervisor(Refusal):
    """At least one supervisor must remain to approve requests."""

    code, title = "last_supervisor", _("At least one supervisor is required. Make someone else a supervisor first.")


class OutsideHours(Refusal):
    """Contacts about overdue debts are not permitted at this hour."""

    code, title = "outside_hours", _("It is outside contact hours in this customer's time zone.")


class TooManyContacts(Refusal):
    """The daily limit of contacts, by notices and colleagues together, is reached."""

    code, title = (
        "asked_enough",
        _("This customer has already been contacted three times today. Contact them tomorrow at the earliest."),
    )


class SandboxLinkExpired(Refusal):
    """The sandbox sign-in link was used, is expired, or is not valid."""

    code, status, title = "link_over", 410, _("It has already been used or has expired. Request a new one.")


class TemplateChanged(Busy):
    """Another version of the template was published since the author read it."""

    code, title = "words_moved", _("A newer version has been published. Review it first.")


class InvalidEnrolmentCode(Refusal):
    """The code is not this colleague's newest one, is expired, or was used."""

    code, status = "enrolment_code_over", 403
    title = _("The enrolment code is incorrect, expired or already used. Ask a supervisor for a new one.")
