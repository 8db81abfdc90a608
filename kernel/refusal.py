"""Refusals: the expected errors of services, with a stable code for programs and a sentence for people."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `pointer` is a JSON pointer (RFC 6901) into the request."""

    pointer: str
    detail: str | Promise


class Refusal(Exception):  # noqa: N818  an expected outcome, not an error of ours
    """The request was understood and declined; nothing was changed. Services declare their own subclasses."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    title: ClassVar[str | Promise] = _("The request was refused.")
    #: The same request may succeed later, so the answer is not saved under the idempotency key.
    is_transient: ClassVar[bool] = False
    #: The field of the request that it is about, if there are no `errors`: a JSON pointer, or `?name`.
    field: str = ""

    def __init__(
        self,
        detail: str | Promise = "",
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        reason: str | None = None,
        field: str = "",
    ) -> None:
        #: If it is the title it is still lazy: translated when it is shown.
        self.detail: str | Promise = detail or self.title
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.reason = reason
        self.field = field or self.field
        super().__init__(self.detail)

    @property
    def field_errors(self) -> tuple[FieldError, ...]:
        """The errors of single fields of the request."""
        return self.errors or ((FieldError(self.field, self.detail),) if self.field else ())


@contextmanager
def refusals_in_field(field: str, *kinds: type[Refusal]) -> Iterator[None]:
    """Attribute refusals of these kinds inside the block to this field of the request."""
    try:
        yield
    except kinds as refusal:
        refusal.field = field
        raise


class NotFound(Refusal):
    """The object does not exist, or belongs to somebody else: both look the same."""

    code, status, title = "not_found", 404, _("No such object.")


class Malformed(Refusal):
    """The body is not valid JSON."""

    code, status, title = "malformed_request", 400, _("The request could not be parsed.")


class TooLarge(Refusal):
    """The request has more bytes than any request of this API needs."""

    code, status, title = "too_large", 413, _("The request is too large.")


class LengthRequired(Refusal):
    """The body has no declared length (`Transfer-Encoding: chunked`): cut off on the way, it would look complete."""

    code, status, title = "length_required", 411, _("Send the body with a Content-Length.")


class WrongMediaType(Refusal):
    """The body's Content-Type is not JSON."""

    code, status, title, is_transient = "unsupported_media_type", 415, _("Send application/json."), True


class Invalid(Refusal):
    """The JSON is well formed, but a field does not match the API's contract."""

    code, status, title = "invalid_request", 422, _("A field is not valid.")


class Busy(Refusal):
    """Something in progress must end first."""

    code, status, title, is_transient = (
        "busy",
        409,
        _("This object is being changed by another request; try again shortly."),
        True,
    )


class ApprovalRequired(Refusal):
    """The action needs a second colleague's approval."""

    code, title = "second_needed", _("This needs approval by a second colleague.")


class TooSlow(Refusal):
    """The rest of the request did not arrive in time."""

    code, status, title, is_transient = "too_slow", 408, _("The request took too long to arrive."), True


class Overloaded(Refusal):
    """Too many concurrent requests; processing did not start."""

    code, status, title, is_transient = "overloaded", 503, _("Too many concurrent requests; try again shortly."), True


class Unavailable(Refusal):
    """The service is temporarily unavailable; nothing was changed."""

    code, status, title, is_transient = "unavailable", 503, _("The service is temporarily unavailable."), True
