"""A copy of my data: asked for, watched, fetched."""

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.visitor import Visitor, for_person
from kernel.clock import live_now
from personal import rules
from personal.models import Export
from personal.pages.fresh import shows_first
from personal.services import export as exports
from personal.tables import TABLES

SHOWN = 5
LOOK_AGAIN_SECONDS = 10


@require_safe
@for_person
def my_data(visitor: Visitor) -> HttpResponse:
    """What a copy holds, the copies there are, and how far the one is that is being made."""
    now = live_now()
    rows = list(Export.objects.filter(person_id=visitor.person.id).order_by("-id")[:SHOWN])
    making = next((row for row in rows if row.next_at), None)
    page = visitor.show(
        "personal/data.html",
        making=making,
        steps=len(TABLES) + 1,
        copies=[{"copy": row, "ready": row.ready(now), "bytes": rules.archive_size(row.packed)} for row in rows],
        wait=making is None and any(row.made_at and row.asked_at > now - rules.EXPORT_APART for row in rows),
        days=rules.EXPORT_KEPT.days,
    )
    if making:
        page["Refresh"] = str(LOOK_AGAIN_SECONDS)
    return page


@require_POST
@for_person
def ask(visitor: Visitor) -> HttpResponse:
    exports.ask_export(visitor.person.id, by=visitor.actor, at=live_now())
    return redirect("my_data")


@require_safe
@for_person
def fetch(visitor: Visitor, export: str) -> HttpResponse:
    """The archive itself, for whoever has just shown who they are. It passes through a piece at a time."""
    key = visitor.named(Export.prefix, export)
    if shown := shows_first(visitor, visitor.request.get_full_path()):
        return shown
    found, pieces = exports.fetch_export(visitor.person.id, key, by=visitor.actor, at=live_now())
    answer = StreamingHttpResponse(pieces, content_type="application/zip")
    answer["Content-Length"] = str(rules.archive_size(found.packed))
    answer["Content-Disposition"] = f'attachment; filename="my-data-{found.asked_at:%Y-%m-%d}.zip"'
    return answer  # type: ignore[return-value]  # Django's views may stream
