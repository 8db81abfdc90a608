"""A refusal is vocabulary: a stable code for programs, a sentence for people, and nothing changed."""

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


class Refusal(Exception):  # noqa: N818  it is the house's word, and not an error of ours
    """The verb was understood and declined. Subclasses stand above the service that raises them."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    title: ClassVar[str | Promise] = _("The request was refused.")
    #: The same request may succeed later: its answer is not kept under the idempotency key.
    passing: ClassVar[bool] = False
    #: The field of a request that it is about, where `errors` say nothing: a JSON pointer, or `?name`.
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
        #: Not yet put into words where it is the title: which language it is in, whoever shows it decides.
        self.detail: str | Promise = detail or self.title
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.reason = reason
        self.field = field or self.field
        super().__init__(self.detail)

    @property
    def told(self) -> tuple[FieldError, ...]:
        """What is wrong with which fields, for whoever wrote the request."""
        return self.errors or ((FieldError(self.field, self.detail),) if self.field else ())


@contextmanager
def in_field(field: str, *kinds: type[Refusal]) -> Iterator[None]:
    """Whatever is refused like that in here is refused for what stands in this field of the request."""
    try:
        yield
    except kinds as refusal:
        refusal.field = field
        raise


class NotFound(Refusal):
    """Missing and somebody else's look the same."""

    code, status, title = "not_found", 404, _("No such object.")


class Malformed(Refusal):
    """The bytes are not the JSON we ask for."""

    code, status, title = "malformed_request", 400, _("The request could not be parsed.")


class TooLarge(Refusal):
    """More bytes than any request of this API needs."""

    code, status, title = "too_large", 413, _("The request is too large.")


class WrongMediaType(Refusal):
    """A body that does not call itself JSON."""

    code, status, title = "unsupported_media_type", 415, _("Send application/json.")


class Invalid(Refusal):
    """The JSON is well formed, and a field in it is not what the contract says."""

    code, status, title = "invalid_request", 422, _("A field is not valid.")


class Busy(Refusal):
    """Something is under way that must end first."""

    code, status, title, passing = (
        "busy",
        409,
        _("This object is being changed by another request; try again shortly."),
        True,
    )


class SecondNeeded(Refusal):
    """No colleague does this alone."""

    code, title = "second_needed", _("This needs approval by a second colleague.")


class TooSlow(Refusal):
    """The rest of the request did not come."""

    code, status, title, passing = "too_slow", 408, _("The request took too long to arrive."), True


class Overloaded(Refusal):
    """More is asked of us at once than we can do; nothing was begun."""

    code, status, title, passing = "overloaded", 503, _("Too many concurrent requests; try again shortly."), True


class Unavailable(Refusal):
    """We cannot answer now; nothing was changed."""

    code, status, title, passing = "unavailable", 503, _("The service is temporarily unavailable."), True
