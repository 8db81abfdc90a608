"""/inbox/: what a person was told, by what it is about; each notice on a page of its own."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts import inbox as notices
from accounts import wording
from accounts.models import Notice
from accounts.visitor import Visitor, for_person
from kernel import ids
from kernel.paging import page

NOTICES_A_PAGE = 20
EVERYTHING, UNREAD = "", "unread"
#: The shelves, in the order in which they stand.
SHELVES: dict[str, str | Promise] = {
    EVERYTHING: gettext_lazy("All"),
    UNREAD: gettext_lazy("Unread"),
    wording.MONEY: gettext_lazy("Money"),
    wording.ORDERS: gettext_lazy("Orders"),
    wording.SECURITY: gettext_lazy("Security"),
}


@require_safe
@for_person
def inbox(visitor: Visitor) -> HttpResponse:
    """A shelf of what the person was told, newest first. What they have not opened is marked."""
    shelf, cursor = _shelf(visitor.request.GET.get("show", "")), visitor.request.GET.get("cursor") or None
    rows = notices.inbox_of(visitor.person.id, unread=shelf == UNREAD)
    if shelf not in (EVERYTHING, UNREAD):
        rows = rows.filter(stage__in=wording.stages_of(shelf))
    shown, further = page(rows, cursor=cursor, limit=NOTICES_A_PAGE)
    listed: list[Any] = list(shown)
    return visitor.show(
        "accounts/inbox.html",
        notices=[(notice, "".join(wording.around_link(notice.body))) for notice in listed],
        anything_new=any(row.read_at is None for row in listed),
        shelf=shelf,
        shelves=[(name, label, _address(name)) for name, label in SHELVES.items()],
        older=further and _address(shelf, cursor=further),
        newest=cursor and _address(shelf),
    )


@require_safe
@for_person
def notice(visitor: Visitor, notice: str) -> HttpResponse:
    """One notice, whole, and the page it is about. It is read from now on."""
    row = notices.notice_of(visitor.person.id, visitor.named(Notice.prefix, notice))
    if visitor.request.method == "GET" and row.read_at is None:
        notices.mark_read([row], at=visitor.at)
    return visitor.show(
        "accounts/notice.html",
        notice=row,
        words=wording.around_link(row.body),
        copies=notices.copies_of(row.id),
        target=_target(row),
    )


@require_POST
@for_person
def read_all(visitor: Visitor) -> HttpResponse:
    """Nothing is unread any more. A second click finds nothing and says so."""
    count = notices.mark_all_read(visitor.person.id, at=visitor.at)
    said = ngettext("%(count)d message marked as read.", "%(count)d messages marked as read.", count)
    messages.success(visitor.request, said % {"count": count} if count else _("No unread messages."))
    return redirect(_address(_shelf(visitor.sent("show"))))


def _shelf(asked: str) -> str:
    """What was asked for, or everything: an address somebody kept must not become a dead end."""
    return asked if asked in SHELVES else EVERYTHING


def _address(shelf: str, **more: str) -> str:
    asked = {"show": shelf, **more} if shelf else more
    return reverse("inbox") + (f"?{urlencode(asked)}" if asked else "")


def _target(row: Any) -> tuple[str, str]:
    """Where this notice leads, and what stands on the button."""
    shelf, named = wording.shelf_of(row.stage), wording.page_in(row.body)
    if shelf == wording.SECURITY:
        return reverse("settings"), _("Go to settings")
    if row.stage in wording.HELP and "/help/" in named:
        return named, _("View request")
    if row.order_id:
        return reverse("order", args=[ids.public("ord", row.order_id)]), _("View order")
    return reverse("orders"), _("View my promise record")
