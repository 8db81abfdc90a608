"""/v1/sandbox/clock: what time it is in a sandbox, and how it passes."""

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing.api.spans import Span, span_of
from billing.refusals import ClockBackwards, ClockBusy, ClockTooFar
from billing.services import clock
from billing.services.clock import Mode
from kernel.clock import live_now
from kernel.contract import operation
from kernel.refusal import FieldError, Invalid, in_field
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, WrongMode, answer
from merchants.rules import Scope

Time = Annotated[datetime, Meta(tz=True)]


class ClockOut(Wire):
    """The sandbox's clock."""

    object: Literal["clock"]
    mode: Mode
    now: datetime


class ClockSetting(Wire):
    """Run or freeze the clock, from its current or a later time."""

    mode: Mode
    now: Time | None = None


class Advance(Wire):
    """How far to advance: `to` a moment or `by` a duration."""

    to: Time | None = None
    by: Span | None = None


class JourneyOut(Wire):
    """How far time passed. Not `done`: the same `to` again goes on from `now`.

    `events` counts what you were told on the way, by type; `work` what each kind of the platform's own work saw to.
    """

    object: Literal["clock"]
    mode: Mode
    now: datetime
    to: datetime
    done: bool
    events: dict[str, int]
    work: dict[str, int]


class Clock(MerchantView):
    """/v1/sandbox/clock"""

    http_method_names = ["get", "put"]
    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SANDBOX, "put": Scope.SANDBOX}
    sandbox_only = True

    @operation("get_clock", "Get the sandbox clock", gives=ClockOut, refuses=[NotAllowed, WrongMode])
    def get(self, _request: Request) -> HttpResponse:
        return answer(_out(clock.read_clock(self.caller.merchant.realm_id, real=live_now())))

    @operation(
        "set_clock",
        "Freeze or run the sandbox clock, optionally from a later time",
        takes=ClockSetting,
        gives=ClockOut,
        refuses=[NotAllowed, WrongMode, ClockBusy, ClockBackwards, ClockTooFar],
        examples=[
            ("Freeze it where it stands", {"mode": "frozen"}),
            ("Begin in March", {"mode": "frozen", "now": "2027-03-01T00:00:00Z"}),
            ("Let it run on", {"mode": "running"}),
        ],
    )
    def put(self, request: Request) -> HttpResponse:
        asked = ClockSetting.parse(request)
        realm_id = self.caller.merchant.realm_id
        with in_field("/now", ClockBackwards, ClockTooFar):
            shown = clock.set_clock(realm_id, mode=asked.mode, now=asked.now, by=self.actor, real=live_now())
        return answer(_out(shown))


class AdvanceClock(MerchantView):
    """/v1/sandbox/clock/advance"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True
    calls_outside = True

    @operation(
        "advance_clock",
        "Advance the sandbox clock: everything due until then happens in order, each at its own time",
        takes=Advance,
        gives=JourneyOut,
        also=[202],
        refuses=[NotAllowed, WrongMode, ClockBusy, ClockBackwards, ClockTooFar],
        writes=True,
        examples=[("Forty days pass", {"by": "P40D"}), ("To a moment", {"to": "2027-03-01T00:00:00Z"})],
    )
    def post(self, request: Request) -> HttpResponse:
        asked = Advance.parse(request)
        to = _where(asked)
        with in_field("/by" if asked.to is None else "/to", ClockBackwards, ClockTooFar):
            came = clock.advance_clock(
                self.caller.merchant.realm_id,
                to=to,
                by=self.actor,
                real=live_now(),
                begun=lambda journey: self.begun(partial(_came, journey)),
            )
        return _came(came)


def _came(journey: clock.Journey) -> HttpResponse:
    out = JourneyOut(
        object="clock",
        mode=journey.mode,
        now=journey.now,
        to=journey.to,
        done=journey.done,
        events=dict(journey.events),
        work=dict(journey.work),
    )
    return answer(out, status=200 if journey.done else 202)


def _where(asked: Advance) -> datetime | timedelta:
    if (asked.to is None) == (asked.by is None):
        raise Invalid(errors=[FieldError("/to", "say either to or by")])
    return asked.to if asked.to is not None else span_of(asked.by or "", "/by")


def _out(shown: clock.Reading) -> ClockOut:
    return ClockOut(object="clock", mode=shown.mode, now=shown.now)
