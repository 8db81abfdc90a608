"""The e-mail address somebody signs in by."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import User
from accounts.refusals import InvalidEmail
from kernel.refusal import FieldError


def address_of(text: str) -> str:
    """The address as it is kept.

    Raises:
        InvalidEmail: it is none, or is longer than a name to sign in by may be.
    """
    address = text.strip().lower()
    try:
        validate_email(address)
        User._meta.get_field("username").run_validators(address)
    except ValidationError:
        raise InvalidEmail(errors=[FieldError("/email", InvalidEmail.title)]) from None
    return address
