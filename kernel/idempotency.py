"""One request sent twice has one effect and one answer, kept in the transaction of the effect itself."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from kernel.encryption import seal, unseal
from kernel.models import IdempotencyKey
from kernel.prepared import Question
from kernel.refusal import Busy, Invalid, Refusal
from kernel.write_batching import together, write

MOST_LENGTH = 255
#: How long an answer can be had again; the description of the API says so.
KEPT = timedelta(days=7)
#: The status of a key whose request has no answer yet, and how long that is believed.
RUNNING, RUNNING_MAX = 102, timedelta(minutes=2)
#: What a mark holds once the effect has begun: a status, and the answer.
_BEGUN = b"%d %b"

_HOLD = "SELECT set_config('bnpl.key_held', pg_try_advisory_xact_lock(%s)::text, true)"
_KEPT = Question(
    "SELECT current_setting('bnpl.key_held') = 'true', k.id, k.request_hash, k.status, k.content_type, k.body,"
    " k.created_at < now() - $3"
    " FROM (VALUES (1)) AS one LEFT JOIN kernel_idempotencykey k ON k.scope = $1 AND k.key = $2",
    ["uuid", "text", "interval"],
)
_KEEP = Question(
    "INSERT INTO kernel_idempotencykey (scope, key, route, request_hash, status, content_type, body)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)",
    ["uuid", "text", "text", "bytea", "int", "text", "bytea"],
)


class KeyReused(Refusal):
    """The key already names another request."""

    code, status, title = (
        "idempotency_key_reused",
        422,
        _("This Idempotency-Key was already used for a different request."),
    )


class StillRunning(Busy):
    """A twin with the same key has not answered yet."""

    code, title = "request_in_progress", _("A request with this Idempotency-Key is still in progress.")


@dataclass(frozen=True, slots=True)
class Request:
    """What the key stands for: who sent it, where to, and exactly which bytes."""

    scope: UUID
    key: str
    route: str
    body: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= MOST_LENGTH or not self.key.isascii() or not self.key.isprintable():
            raise Invalid(f"An Idempotency-Key is 1 to {MOST_LENGTH} printable ASCII characters.")

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.route.encode() + b"\0" + self.body).digest()

    @property
    def name(self) -> str:
        """What a world outside may know it by, which has a fence of its own: the same each time it is sent."""
        return hashlib.sha256(self.scope.bytes + self.digest + self.key.encode()).hexdigest()


def once(request: Request, act: Callable[[], HttpResponse], refused: Callable[[Refusal], HttpResponse]) -> HttpResponse:
    """The first answer to this request: made now by `act`, or read back.

    A refusal undoes what `act` did and is kept as the answer too, but for the passing ones (busy, unavailable),
    after which the same key may try again.

    Raises:
        KeyReused: the key stands for another body or route.
        StillRunning: a twin holds it right now.
    """
    try:
        with transaction.atomic(), together():
            answer = _kept(request) or _keep(request, act())
    except Refusal as refusal:
        if refusal.passing or isinstance(refusal, KeyReused):
            raise
        with transaction.atomic(), together():
            answer = _kept(request) or _keep(request, refused(refusal))
    return answer


def once_outside(
    request: Request, act: Callable[[], HttpResponse], refused: Callable[[Refusal], HttpResponse]
) -> HttpResponse:
    """The same for a verb that calls the outside world, which no transaction may span.

    The key is marked as running before, and its answer kept after. Where somebody died in between, or broke off, what
    had begun by then is the answer (`begin`); if nothing had, the mark is forgotten, after a while, and a repeat may
    act. So a verb says that it has begun in the transaction of its first effect, or has a fence of its own.

    Raises:
        KeyReused, StillRunning: as `once`.
    """
    with transaction.atomic():
        kept = _kept(request)
        if kept is not None:
            return kept
        _mark(request)
    try:
        answer = act()
    except Refusal as refusal:
        if refusal.passing:
            let_go(request)
            raise
        answer = refused(refusal)
    except BaseException:
        let_go(request)
        raise
    with transaction.atomic():
        _running(request).delete()
        return _keep(request, answer)


def begin(request: Request, answer: HttpResponse) -> None:
    """In the transaction of the effect: this is the answer from its end on, if nobody comes back to say more.

    Raises:
        StillRunning: another has been at it since the mark was made, and has begun.
    """
    begun = _BEGUN % (answer.status_code, answer.content)
    kept = _running(request).filter(body=b"")
    if not kept.update(content_type=answer["Content-Type"], body=_sealed(request, begun)):
        raise StillRunning(retry_after=1)


def let_go(request: Request) -> None:
    """Nobody is at it any more: what had begun is the answer, and if nothing had the key is free again."""
    with transaction.atomic():
        row = _running(request).select_for_update().first()
        if row is None:
            return
        if begun := _begun(request, bytes(row.body), row.content_type):
            row.status, row.body = begun.status_code, _sealed(request, begun.content)
            row.save(update_fields=["status", "body"])
        else:
            row.delete()


def _mark(request: Request) -> None:
    """Say that somebody is at it: a row with no answer yet."""
    _keep(request, HttpResponse(b"", content_type="", status=RUNNING))


def _running(request: Request) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(scope=request.scope, key=request.key, status=RUNNING)


def _begun(request: Request, raw: bytes, content_type: str) -> HttpResponse | None:
    """The answer that a mark holds, if what it stands for had begun."""
    if not raw:
        return None
    status, _blank, body = _opened(request, raw).partition(b" ")
    return HttpResponse(body, status=int(status), content_type=content_type)


def _kept(request: Request) -> HttpResponse | None:
    """The answer of before, if there is one; and a lock on the key until the transaction ends.

    A twin is told at once instead of waiting. The lock is taken in a statement of its own, before the look, so that the
    look sees what whoever held it has left.
    """
    name = hashlib.sha256(request.scope.bytes + request.key.encode()).digest()[:8]
    with together():
        write(_HOLD, [int.from_bytes(name, "big", signed=True)])
        [(held, found, digest, status, content_type, body, dead)] = _KEPT.rows(request.scope, request.key, RUNNING_MAX)
    if not held:
        raise StillRunning(retry_after=1)
    if found is None:
        return None
    if bytes(digest) != request.digest:
        raise KeyReused
    if status == RUNNING:
        if not dead:
            raise StillRunning(retry_after=1)
        let_go(request)
        answer = _begun(request, bytes(body), content_type)
        if answer is None:
            return None
    else:
        answer = HttpResponse(_opened(request, bytes(body)), status=status, content_type=content_type)
    answer["Idempotent-Replayed"] = "true"
    return answer


def _keep(request: Request, answer: HttpResponse) -> HttpResponse:
    _KEEP.send(
        request.scope,
        request.key,
        request.route.replace("\0", "")[:300],  # to read; the digest holds it whole
        request.digest,
        answer.status_code,
        answer["Content-Type"],
        _sealed(request, answer.content),
    )
    return answer


def _sealed(request: Request, body: bytes) -> bytes:
    """An answer may hold a secret that is shown once: it does not lie about in clear for a week."""
    return seal(body.decode(), place=_place(request)) if body else body


def _opened(request: Request, raw: bytes) -> bytes:
    """The answer again; one from before answers were sealed begins as every JSON object does."""
    return raw if raw[:1] in (b"", b"{") else unseal(raw, place=_place(request)).encode()


def _place(request: Request) -> str:
    return f"kernel.idempotencykey.body:{request.scope.hex}:{request.key}"


def forget_old(*, limit: int) -> int:
    """Delete so many of the oldest answers that were kept for long enough; how many there were.

    Two sweeps at once take different ones. It is real time that counts, in every realm: a caller's patience is real.
    """
    old = IdempotencyKey.objects.filter(created_at__lt=Now() - KEPT).order_by("created_at")
    with transaction.atomic():
        batch = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        IdempotencyKey.objects.filter(pk__in=batch).delete()
    return len(batch)
