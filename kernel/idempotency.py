"""Idempotency keys: a request sent twice has one effect and one answer, saved in the transaction of the effect."""

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
from kernel.prepared_statements import PreparedStatement
from kernel.refusal import Busy, Invalid, Refusal
from kernel.write_batching import batch_writes, execute_write

KEY_LENGTH_MAX = 255
#: How long an answer is kept for replays, as the API documentation states.
RETENTION = timedelta(days=7)
#: The status of a key whose request is still running, and after how long it counts as abandoned.
RUNNING, RUNNING_MAX = 102, timedelta(minutes=2)
#: A provisional answer in a running key's row: its status and its body.
_PROVISIONAL_FORMAT = b"%d %b"

_LOCK_KEY_SQL = "SELECT set_config('bnpl.key_held', pg_try_advisory_xact_lock(%s)::text, true)"
_FIND_ANSWER = PreparedStatement(
    "SELECT current_setting('bnpl.key_held') = 'true', k.id, k.request_hash, k.status, k.content_type, k.body,"
    " k.created_at < now() - $3"
    " FROM (VALUES (1)) AS one LEFT JOIN kernel_idempotencykey k ON k.scope = $1 AND k.key = $2",
    ["uuid", "text", "interval"],
)
_INSERT_ANSWER = PreparedStatement(
    "INSERT INTO kernel_idempotencykey (scope, key, route, request_hash, status, content_type, body)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)",
    ["uuid", "text", "text", "bytea", "int", "text", "bytea"],
)


class KeyReused(Refusal):
    """The key was already used for another request."""

    code, status, title = (
        "idempotency_key_reused",
        422,
        _("This Idempotency-Key was already used for a different request."),
    )


class StillRunning(Busy):
    """Another request with the same key is still running."""

    code, title = "request_in_progress", _("A request with this Idempotency-Key is still in progress.")


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with its idempotency key: the caller (`scope`), the route and the exact body."""

    scope: UUID
    key: str
    route: str
    body: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= KEY_LENGTH_MAX or not self.key.isascii() or not self.key.isprintable():
            raise Invalid(f"An Idempotency-Key is 1 to {KEY_LENGTH_MAX} printable ASCII characters.")

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(self.route.encode() + b"\0" + self.body).digest()

    @property
    def external_key(self) -> str:
        """An idempotency key for external services: the same each time this request is sent."""
        return hashlib.sha256(self.scope.bytes + self.fingerprint + self.key.encode()).hexdigest()


def run_once(
    request: IdempotentRequest, operation: Callable[[], HttpResponse], on_refusal: Callable[[Refusal], HttpResponse]
) -> HttpResponse:
    """The first answer to this request: from `operation`, or the saved one.

    A refusal rolls back what `operation` did and is saved as the answer, except transient ones (busy, unavailable),
    after which the same key may be tried again.

    Raises:
        KeyReused: the key was used for another body or route.
        StillRunning: another request holds the key right now.
    """
    try:
        with transaction.atomic(), batch_writes():
            answer = _lock_and_find(request) or _save_answer(request, operation())
    except Refusal as refusal:
        if refusal.is_transient or isinstance(refusal, KeyReused):
            raise
        with transaction.atomic(), batch_writes():
            answer = _lock_and_find(request) or _save_answer(request, on_refusal(refusal))
    return answer


def run_once_external(
    request: IdempotentRequest, operation: Callable[[], HttpResponse], on_refusal: Callable[[Refusal], HttpResponse]
) -> HttpResponse:
    """Like `run_once`, for operations that call external services, which no transaction may span.

    The key is marked as running before and gets its answer afterwards. If the process dies in between, the provisional
    answer (`save_provisional_answer`) becomes the answer; without one, the mark expires and a retry may act. So an
    operation must save a provisional answer in the transaction of its first effect, or be idempotent by itself.

    Raises:
        KeyReused, StillRunning: as `run_once`.
    """
    with transaction.atomic():
        saved = _lock_and_find(request)
        if saved is not None:
            return saved
        _mark_running(request)
    try:
        answer = operation()
    except Refusal as refusal:
        if refusal.is_transient:
            release(request)
            raise
        answer = on_refusal(refusal)
    except BaseException:
        release(request)
        raise
    with transaction.atomic():
        _running_rows(request).delete()
        return _save_answer(request, answer)


def save_provisional_answer(request: IdempotentRequest, answer: HttpResponse) -> None:
    """Save the answer for the case that this process dies later; call it in the transaction of the effect.

    Raises:
        StillRunning: another process took over the request and has begun.
    """
    provisional = _PROVISIONAL_FORMAT % (answer.status_code, answer.content)
    rows = _running_rows(request).filter(body=b"")
    if not rows.update(content_type=answer["Content-Type"], body=_seal_body(request, provisional)):
        raise StillRunning(retry_after=1)


def release(request: IdempotentRequest) -> None:
    """Release the key: a provisional answer becomes the answer; without one the key is free again."""
    with transaction.atomic():
        row = _running_rows(request).select_for_update().first()
        if row is None:
            return
        if provisional := _provisional_answer(request, bytes(row.body), row.content_type):
            row.status, row.body = provisional.status_code, _seal_body(request, provisional.content)
            row.save(update_fields=["status", "body"])
        else:
            row.delete()


def _mark_running(request: IdempotentRequest) -> None:
    """Mark the request as running: a row without an answer."""
    _save_answer(request, HttpResponse(b"", content_type="", status=RUNNING))


def _running_rows(request: IdempotentRequest) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(scope=request.scope, key=request.key, status=RUNNING)


def _provisional_answer(request: IdempotentRequest, raw: bytes, content_type: str) -> HttpResponse | None:
    """The provisional answer in a running row; None if there is none."""
    if not raw:
        return None
    status, _separator, body = _unseal_body(request, raw).partition(b" ")
    return HttpResponse(body, status=int(status), content_type=content_type)


def _lock_and_find(request: IdempotentRequest) -> HttpResponse | None:
    """Lock the key until the transaction ends, and return the saved answer, if there is one.

    Does not wait for the lock. It is taken in a statement of its own, before the read, so that the read sees what the
    previous holder committed.
    """
    key_hash = hashlib.sha256(request.scope.bytes + request.key.encode()).digest()[:8]
    with batch_writes():
        execute_write(_LOCK_KEY_SQL, [int.from_bytes(key_hash, "big", signed=True)])
        [(is_locked, found, digest, status, content_type, body, is_abandoned)] = _FIND_ANSWER.rows(
            request.scope, request.key, RUNNING_MAX
        )
    if not is_locked:
        raise StillRunning(retry_after=1)
    if found is None:
        return None
    if bytes(digest) != request.fingerprint:
        raise KeyReused
    if status == RUNNING:
        if not is_abandoned:
            raise StillRunning(retry_after=1)
        release(request)
        answer = _provisional_answer(request, bytes(body), content_type)
        if answer is None:
            return None
    else:
        answer = HttpResponse(_unseal_body(request, bytes(body)), status=status, content_type=content_type)
    answer["Idempotent-Replayed"] = "true"
    return answer


def _save_answer(request: IdempotentRequest, answer: HttpResponse) -> HttpResponse:
    _INSERT_ANSWER.execute(
        request.scope,
        request.key,
        request.route.replace("\0", "")[:300],  # for people to read; the fingerprint covers all of it
        request.fingerprint,
        answer.status_code,
        answer["Content-Type"],
        _seal_body(request, answer.content),
    )
    return answer


def _seal_body(request: IdempotentRequest, body: bytes) -> bytes:
    """Encrypt an answer: it may contain a secret that is shown once, and is kept for a week."""
    return seal(body.decode(), place=_seal_context(request)) if body else body


def _unseal_body(request: IdempotentRequest, raw: bytes) -> bytes:
    """Decrypt an answer; answers from before encryption start with `{`, as every JSON object does."""
    return raw if raw[:1] in (b"", b"{") else unseal(raw, place=_seal_context(request)).encode()


def _seal_context(request: IdempotentRequest) -> str:
    return f"kernel.idempotencykey.body:{request.scope.hex}:{request.key}"


def prune_expired(*, limit: int) -> int:
    """Delete up to `limit` answers past their retention, oldest first. Returns how many.

    Concurrent runs delete different ones. Retention is in real time, in every realm.
    """
    old = IdempotencyKey.objects.filter(created_at__lt=Now() - RETENTION).order_by("created_at")
    with transaction.atomic():
        batch = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        IdempotencyKey.objects.filter(pk__in=batch).delete()
    return len(batch)
