"""The page for copies of personal data: request, watch, download."""

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.visitor import Visitor, person_page
from kernel.clock import live_now
from personal import rules
from personal.export_tables import TABLES
from personal.models import Export
from personal.pages.reauthentication import require_reauthentication
from personal.services import exports

SHOWN_MAX = 5
REFRESH_SECONDS = 10


@require_safe
@person_page
def my_data(visitor: Visitor) -> HttpResponse:
    """What a copy contains, existing copies, and the progress of the current one."""
    now = live_now()
    rows = list(Export.objects.filter(person_id=visitor.person.id).order_by("-id")[:SHOWN_MAX])
    in_progress = next((row for row in rows if row.next_at), None)
    page = visitor.render(
        "personal/data.html",
        making=in_progress,
        steps=len(TABLES) + 1,
        copies=[{"copy": row, "ready": row.is_ready(now), "bytes": rules.zip_size(row.archive_files)} for row in rows],
        wait=in_progress is None and any(row.made_at and row.asked_at > now - rules.EXPORT_INTERVAL for row in rows),
        days=rules.EXPORT_RETENTION.days,
    )
    if in_progress:
        page["Refresh"] = str(REFRESH_SECONDS)
    return page


@require_POST
@person_page
def request_copy(visitor: Visitor) -> HttpResponse:
    exports.request_export(visitor.person.id, by=visitor.actor, at=live_now())
    return redirect("my_data")


@require_safe
@person_page
def download(visitor: Visitor, export: str) -> HttpResponse:
    """Stream the archive, after the person has signed in again recently."""
    key = visitor.parse_id(Export.prefix, export)
    if redirect_response := require_reauthentication(visitor, visitor.request.get_full_path()):
        return redirect_response
    copy, pieces = exports.fetch_export(visitor.person.id, key, by=visitor.actor, at=live_now())
    answer = StreamingHttpResponse(pieces, content_type="application/zip")
    answer["Content-Length"] = str(rules.zip_size(copy.archive_files))
    answer["Content-Disposition"] = f'attachment; filename="my-data-{copy.asked_at:%Y-%m-%d}.zip"'
    return answer  # type: ignore[return-value]  # Django's views may stream
