"""/channels/{name}/callback: where channels knock."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.services import callbacks
from kernel import clock
from kernel.problems import problem, refusal_of


@csrf_exempt
@require_POST
def receive(request: HttpRequest, channel: str) -> HttpResponse:
    """A channel says how a debit ended. 204 means it is kept; it need not be sent again."""
    try:
        callbacks.receive(channel, request.body, request.headers.get("X-Signature", ""), real=clock.live_now())
    except Exception as exc:  # noqa: BLE001  every way to fail becomes a problem
        return problem(refusal_of(exc), request)
    return HttpResponse(status=204)
