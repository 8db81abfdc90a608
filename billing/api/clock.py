"""/v1/sandbox/clock: read, set and advance a sandbox's clock."""

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing.api.durations import Duration, parse_duration
from billing.refusals import ClockBackwards, ClockBusy, ClockTooFar
from billing.services import sandbox_clock
from billing.services.sandbox_clock import Mode
from kernel.clock import live_now
from kernel.openapi import operation
from kernel.refusal import FieldError, Invalid, refusals_in_field
from kernel.wire import Moment, Wire
from merchants.access import InsufficientScope, MerchantView, SandboxKeyRequired, json_response
from merchants.rules import Scope

Time = Annotated[datetime, Meta(tz=True)]


class ClockOut(Wire):
    """The sandbox's clock."""

    object: Literal["clock"]
    mode: Mode
    now: Moment


class ClockSetting(Wire):
    """Run or freeze the clock, from its current or a later time."""

    mode: Mode
    now: Time | None = None


class Advance(Wire):
    """How far to advance: `to` a moment or `by` a duration."""

    to: Time | None = None
    by: Duration | None = None


class JourneyOut(Wire):
    """How far time passed. Not `done`: the same `to` again goes on from `now`.

    `events` counts what you were told on the way, by type; `work` what each kind of the platform's own work saw to.
    """

    object: Literal["clock"]
    mode: Mode
    now: Moment
    to: Moment
    done: bool
    events: dict[str, int]
    work: dict[str, int]


class Clock(MerchantView):
    """/v1/sandbox/clock"""

    http_method_names = ["get", "put"]
    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SANDBOX, "put": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "get_clock", "Get the sandbox clock", response=ClockOut, refusals=[InsufficientScope, SandboxKeyRequired]
    )
    def get(self, _request: Request) -> HttpResponse:
        return json_response(_clock_out(sandbox_clock.read_clock(self.caller.merchant.realm_id, real=live_now())))

    @operation(
        "set_clock",
        "Freeze or run the sandbox clock, optionally from a later time",
        request=ClockSetting,
        response=ClockOut,
        refusals=[InsufficientScope, SandboxKeyRequired, ClockBusy, ClockBackwards, ClockTooFar],
        examples=[
            ("Freeze it where it stands", {"mode": "frozen"}),
            ("Begin in March", {"mode": "frozen", "now": "2027-03-01T00:00:00Z"}),
            ("Let it run on", {"mode": "running"}),
        ],
    )
    def put(self, request: Request) -> HttpResponse:
        body = ClockSetting.parse(request)
        realm_id = self.caller.merchant.realm_id
        with refusals_in_field("/now", ClockBackwards, ClockTooFar):
            state = sandbox_clock.set_clock(realm_id, mode=body.mode, now=body.now, by=self.actor, real=live_now())
        return json_response(_clock_out(state))


class AdvanceClock(MerchantView):
    """/v1/sandbox/clock/advance"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True
    calls_external = True

    @operation(
        "advance_clock",
        "Advance the sandbox clock: everything due until then happens in order, each at its own time",
        request=Advance,
        response=JourneyOut,
        also_statuses=[202],
        refusals=[InsufficientScope, SandboxKeyRequired, ClockBusy, ClockBackwards, ClockTooFar],
        idempotent=True,
        examples=[("Forty days pass", {"by": "P40D"}), ("To a moment", {"to": "2027-03-01T00:00:00Z"})],
    )
    def post(self, request: Request) -> HttpResponse:
        body = Advance.parse(request)
        to = _parse_target(body)
        with refusals_in_field("/by" if body.to is None else "/to", ClockBackwards, ClockTooFar):
            result = sandbox_clock.advance_clock(
                self.caller.merchant.realm_id,
                to=to,
                by=self.actor,
                real=live_now(),
                on_started=lambda result: self.save_provisional_response(partial(_advance_response, result)),
            )
        return _advance_response(result)


def _advance_response(result: sandbox_clock.AdvanceResult) -> HttpResponse:
    out = JourneyOut(
        object="clock",
        mode=result.mode,
        now=result.now,
        to=result.to,
        done=result.done,
        events=dict(result.events),
        work=dict(result.work),
    )
    return json_response(out, status=200 if result.done else 202)


def _parse_target(body: Advance) -> datetime | timedelta:
    if (body.to is None) == (body.by is None):
        raise Invalid(errors=[FieldError("/to", "say either to or by")])
    return body.to if body.to is not None else parse_duration(body.by or "", "/by")


def _clock_out(state: sandbox_clock.ClockState) -> ClockOut:
    return ClockOut(object="clock", mode=state.mode, now=state.now)
