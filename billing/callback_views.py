"""/channels/{name}/callback: channels report the results of deductions here."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.services import callbacks
from kernel import clock
from kernel.problems import problem_response, to_refusal


@csrf_exempt
@require_POST
def receive_callback(request: HttpRequest, channel: str) -> HttpResponse:
    """Receive a channel's callback with the result of a debit. 204: it is stored and need not be sent again."""
    try:
        callbacks.receive_callback(channel, request.body, request.headers.get("X-Signature", ""), real=clock.live_now())
    except Exception as exc:  # noqa: BLE001  every failure becomes a problem response
        return problem_response(to_refusal(exc), request)
    return HttpResponse(status=204)
