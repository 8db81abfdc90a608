"""Programs go past what only browsers need: sessions, languages, cookies' guards, what a page may load, its frames.

A merchant's call and a channel's callback prove who sends them by a key or a signature of their own, and are answered
in JSON. What is between `Fork` and `Join` in MIDDLEWARE does not see them.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation

from kernel.request_log import DOORS

Step = Callable[[HttpRequest], HttpResponseBase]
#: What a browser may do with an answer that is no page, if somebody shows it one.
NOTHING = "default-src 'none'; frame-ancestors 'none'"
#: Where the ways meet again, of a handler that is being built: Django begins with the innermost step.
_MEETS: list[Step] = []


class Join:
    """Where programs and browsers go on together."""

    def __init__(self, get_response: Step) -> None:
        self.get_response = get_response
        _MEETS.append(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)


class Fork:
    """Lets browsers through what is theirs and programs past it, whatever language the one before was answered in."""

    def __init__(self, get_response: Step) -> None:
        self.browsers, self.programs = get_response, _MEETS.pop()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(DOORS):
            return self.browsers(request)
        with translation.override(settings.LANGUAGE_CODE):
            response = self.programs(request)
        response["Content-Security-Policy"] = NOTHING
        return response
