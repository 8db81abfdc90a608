"""Lengths of time, as ISO 8601 writes them."""

import re
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from kernel.refusal import FieldError, Invalid

Span = Annotated[str, Meta(max_length=40, description="ISO 8601 in weeks, days and times, such as P3D or PT90S.")]
_SPAN = re.compile(
    r"P(?=.)(?:(\d{1,3})W)?(?:(\d{1,4})D)?(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.ASCII
)


def span_of(text: str, pointer: str) -> timedelta:
    """The length that `P40D` says.

    Raises:
        Invalid: it says none, at this pointer of the request.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise Invalid(errors=[FieldError(pointer, "not an ISO 8601 duration of weeks, days and times")])
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
