"""/ops/files/: exports of long lists, requested with a reason, made in the background, downloaded by the requester."""

from functools import partial
from typing import Any, cast

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import User
from kernel import ids
from kernel.action_page import render_action
from kernel.admin_site import EXPORT_MAX, EXPORT_TYPES, VIEWERS
from kernel.console_actions import Colleague, MenuItem, ReasonForm, StrOrPromise, console_page
from kernel.refusal import NotFound, Refusal
from office.models import Listing
from office.services import list_exports

MENU_ITEM = MenuItem("files", gettext_lazy("Files"), gettext_lazy("Long lists, made in the background"), VIEWERS)
EXPORTS_SHOWN, REFRESH_SECONDS, PARAM_MAX = 20, 5, 2_000


@require_safe
@console_page(*VIEWERS)
def my_exports(colleague: Colleague) -> HttpResponse:
    """This colleague's exports, and the progress of the one being made."""
    rows = list(Listing.objects.filter(user_id=colleague.user.pk).order_by("-id")[:EXPORTS_SHOWN])
    response = colleague.render(
        "office/list_exports.html",
        MENU_ITEM.label,
        rows=[(row, row.is_ready(colleague.at)) for row in rows],
        days=list_exports.KEEP_FOR.days,
        most=EXPORT_MAX,
    )
    if any(row.next_at for row in rows):
        response["Refresh"] = str(REFRESH_SECONDS)
    return response


@console_page(*VIEWERS)
def request_export(colleague: Colleague) -> HttpResponse:
    """Request the export of a list that is too long for a direct download."""
    query = colleague.request.GET
    table, kind, look = query.get("table", ""), query.get("as", ""), query.get("look", "")
    if kind not in EXPORT_TYPES or len(look) > PARAM_MAX or len(table) > PARAM_MAX:
        raise Http404
    user = cast("User", colleague.user)
    listing = Listing(user=user, table=table, look=look, kind=kind, language=get_language() or "en")
    try:
        name = list_exports.export_source(listing).model_admin.model._meta.verbose_name_plural
    except IncorrectLookupParameters:
        raise Http404 from None
    return render_action(
        colleague,
        gettext_lazy("Create file"),
        about=f"{name} ({kind})",
        back=reverse("files"),
        form=ReasonForm(colleague.form_data, row=None),
        preview=_export_preview,
        run=partial(_request_export, colleague, listing),
    )


def _export_preview() -> StrOrPromise:
    return _(
        "This list has more than %(most)d rows. The file is created in the background, newest first, with the same"
        " content; only you can download it, for %(days)d days. The request and download are recorded in the audit"
        " log."
    ) % {"most": EXPORT_MAX, "days": list_exports.KEEP_FOR.days}


def _request_export(colleague: Colleague, listing: Listing, data: dict[str, Any]) -> StrOrPromise:
    requested = list_exports.request_export(
        listing.user, listing.table, listing.look, listing.kind, language=listing.language, at=colleague.at
    )
    colleague.audit(
        "exported",
        requested.public_id,
        data["note"],
        table=requested.table,
        look=requested.look,
        kind=requested.kind,
    )
    return _("The file is being created. You can close this page.")


@require_safe
@console_page(*VIEWERS)
def download(colleague: Colleague, listing: str) -> HttpResponse:
    """Stream the file to its requester, a piece at a time."""
    key = ids.parse(Listing.prefix, listing)
    if key is None:
        raise Http404
    try:
        found, pieces, size = list_exports.open_export(cast("User", colleague.user), key, at=colleague.at)
    except (NotFound, PermissionDenied):
        raise Http404 from None
    except Refusal as refusal:
        return colleague.render(
            "office/list_exports.html", MENU_ITEM.label, status=refusal.status, refused=refusal.detail
        )
    colleague.audit("fetched", found.public_id, rows=found.rows)
    response = StreamingHttpResponse(pieces, content_type=EXPORT_TYPES[found.kind])
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = f'attachment; filename="{found.name}"'
    return response  # type: ignore[return-value]  # Django's views may stream
