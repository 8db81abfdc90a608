"""API requests skip the middleware that only browsers need: sessions, languages, CSRF, CSP and framing.

Merchants' API calls and channels' callbacks authenticate by a key or a signature and are answered in JSON. The
middleware between `ApiBypassStart` and `ApiBypassEnd` in MIDDLEWARE does not see them.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation

from kernel.request_log import LOGGED_PREFIXES

Handler = Callable[[HttpRequest], HttpResponseBase]
#: A browser that is given a JSON response may load nothing from it.
EMPTY_CSP = "default-src 'none'; frame-ancestors 'none'"
#: The handlers after `ApiBypassEnd`, for the `ApiBypassStart` built next: Django builds the innermost middleware first.
_REJOIN_POINTS: list[Handler] = []


class ApiBypassEnd:
    """Where API and browser requests continue together."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        _REJOIN_POINTS.append(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)


class ApiBypassStart:
    """Sends browser requests through the middleware that follows, and API requests past it in the default language."""

    def __init__(self, get_response: Handler) -> None:
        self.for_browsers, self.for_api = get_response, _REJOIN_POINTS.pop()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(LOGGED_PREFIXES):
            return self.for_browsers(request)
        with translation.override(settings.LANGUAGE_CODE):
            response = self.for_api(request)
        response["Content-Security-Policy"] = EMPTY_CSP
        return response
