"""Email addresses used to sign in."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import User
from accounts.refusals import InvalidEmail
from kernel.refusal import FieldError


def normalize_email(text: str) -> str:
    """The address in the form in which it is stored.

    Raises:
        InvalidEmail: it is not an address, or longer than a username may be.
    """
    address = text.strip().lower()
    try:
        validate_email(address)
        User._meta.get_field("username").run_validators(address)
    except ValidationError:
        raise InvalidEmail(errors=[FieldError("/email", InvalidEmail.title)]) from None
    return address
