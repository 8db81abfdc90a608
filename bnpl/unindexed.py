"""What search engines may keep: the guide. Every other page is somebody's own, or leads to one."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

FOR_EVERYBODY = "/docs/"


class Unindexed:
    """No search engine keeps a page that is not for everybody, however it learnt of its address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path.startswith(FOR_EVERYBODY):
            response["X-Robots-Tag"] = "noindex"
        return response
