"""ISO 8601 durations in requests."""

import re
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from kernel.refusal import FieldError, Invalid

Duration = Annotated[str, Meta(max_length=40, description="ISO 8601 in weeks, days and times, such as P3D or PT90S.")]
_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,3})W)?(?:(\d{1,4})D)?(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.ASCII
)


def parse_duration(text: str, pointer: str) -> timedelta:
    """Parse a duration such as `P40D`.

    Raises:
        Invalid: it is not one; the error names `pointer`, its place in the request.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Invalid(errors=[FieldError(pointer, "not an ISO 8601 duration of weeks, days and times")])
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
