"""Search engines may index the developers' guide and nothing else: every other page is personal or leads to one."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

INDEXED_PREFIX = "/docs/"


class NoIndexMiddleware:
    """Adds `X-Robots-Tag: noindex` to every response outside the guide."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path.startswith(INDEXED_PREFIX):
            response["X-Robots-Tag"] = "noindex"
        return response
