"""/ops/files/: long lists as files, asked for with a reason, made in the background, fetched by whoever asked."""

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
from kernel.admin_site import EXPORT_MAX, FILES, VIEWERS
from kernel.console_actions import Colleague, Desk, VerbForm, Words, deed, page
from kernel.refusal import NotFound, Refusal
from office.models import Listing
from office.services import files

DESK = Desk("files", gettext_lazy("Files"), gettext_lazy("Long lists, made in the background"), VIEWERS)
SHOWN, LOOK_AGAIN_SECONDS, LOOK_MAX = 20, 5, 2_000


@require_safe
@page(*VIEWERS)
def mine(colleague: Colleague) -> HttpResponse:
    """This colleague's own, and how far the one is that is being made."""
    rows = list(Listing.objects.filter(user_id=colleague.user.pk).order_by("-id")[:SHOWN])
    shown = colleague.show(
        "office/files.html",
        DESK.label,
        rows=[(row, row.ready(colleague.at)) for row in rows],
        days=files.KEPT.days,
        most=EXPORT_MAX,
    )
    if any(row.next_at for row in rows):
        shown["Refresh"] = str(LOOK_AGAIN_SECONDS)
    return shown


@page(*VIEWERS)
def ask(colleague: Colleague) -> HttpResponse:
    """A list is too long to be sent at once: why it is needed, and it is made."""
    given = colleague.request.GET
    table, kind, look = given.get("table", ""), given.get("as", ""), given.get("look", "")
    if kind not in FILES or len(look) > LOOK_MAX or len(table) > LOOK_MAX:
        raise Http404
    user = cast("User", colleague.user)
    wanted = Listing(user=user, table=table, look=look, kind=kind, language=get_language() or "en")
    try:
        name = files.source_of(wanted).shown.model._meta.verbose_name_plural
    except IncorrectLookupParameters:
        raise Http404 from None
    return deed(
        colleague,
        gettext_lazy("Create file"),
        about=f"{name} ({kind})",
        back=reverse("files"),
        form=VerbForm(colleague.given, row=None),
        preview=_before,
        run=partial(_ask, colleague, wanted),
    )


def _before() -> Words:
    return _(
        "This list has more than %(most)d rows. The file is created in the background, newest first, with the same"
        " content; only you can download it, for %(days)d days. The request and download are recorded in the audit"
        " log."
    ) % {"most": EXPORT_MAX, "days": files.KEPT.days}


def _ask(colleague: Colleague, wanted: Listing, wish: dict[str, Any]) -> Words:
    made = files.ask_file(
        wanted.user, wanted.table, wanted.look, wanted.kind, language=wanted.language, at=colleague.at
    )
    colleague.audit("exported", made.public_id, wish["note"], table=made.table, look=made.look, kind=made.kind)
    return _("The file is being created. You can close this page.")


@require_safe
@page(*VIEWERS)
def fetch(colleague: Colleague, listing: str) -> HttpResponse:
    """The file itself, for whoever asked for it. It passes through a piece at a time."""
    key = ids.parse(Listing.prefix, listing)
    if key is None:
        raise Http404
    try:
        found, pieces, size = files.fetch_file(cast("User", colleague.user), key, at=colleague.at)
    except (NotFound, PermissionDenied):
        raise Http404 from None
    except Refusal as refusal:
        return colleague.show("office/files.html", DESK.label, status=refusal.status, refused=refusal.detail)
    colleague.audit("fetched", found.public_id, rows=found.rows)
    answer = StreamingHttpResponse(pieces, content_type=FILES[found.kind])
    answer["Content-Length"] = str(size)
    answer["Content-Disposition"] = f'attachment; filename="{found.name}"'
    return answer  # type: ignore[return-value]  # Django's views may stream
