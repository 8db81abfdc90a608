"""/inbox/: a person's notices by category, and a page for each notice."""

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

from accounts import notice_rules, notices
from accounts.models import Notice
from accounts.visitor import Visitor, person_page
from kernel import ids
from kernel.paging import paginate

NOTICES_A_PAGE = 20
EVERYTHING, UNREAD = "", "unread"
#: The categories, in the order of the page.
CATEGORIES: dict[str, str | Promise] = {
    EVERYTHING: gettext_lazy("All"),
    UNREAD: gettext_lazy("Unread"),
    notice_rules.MONEY: gettext_lazy("Money"),
    notice_rules.ORDERS: gettext_lazy("Orders"),
    notice_rules.SECURITY: gettext_lazy("Security"),
}


@require_safe
@person_page
def inbox(visitor: Visitor) -> HttpResponse:
    """The notices of one category, newest first, with unread ones marked."""
    category, cursor = (
        _requested_category(visitor.request.GET.get("show", "")),
        visitor.request.GET.get("cursor") or None,
    )
    rows = notices.inbox_of(visitor.person.id, unread=category == UNREAD)
    if category not in (EVERYTHING, UNREAD):
        rows = rows.filter(stage__in=notice_rules.stages_in(category))
    page_rows, next_cursor = paginate(rows, cursor=cursor, limit=NOTICES_A_PAGE)
    annotated: list[Any] = list(page_rows)
    return visitor.render(
        "accounts/inbox.html",
        notices=[(notice, "".join(notice_rules.split_at_link(notice.body))) for notice in annotated],
        anything_new=any(row.read_at is None for row in annotated),
        category=category,
        categories=[(name, label, _inbox_url(name)) for name, label in CATEGORIES.items()],
        older=next_cursor and _inbox_url(category, cursor=next_cursor),
        newest=cursor and _inbox_url(category),
    )


@require_safe
@person_page
def notice(visitor: Visitor, notice: str) -> HttpResponse:
    """One notice with a link to what it is about. It is marked as read."""
    row = notices.notice_of(visitor.person.id, visitor.parse_id(Notice.prefix, notice))
    if visitor.request.method == "GET" and row.read_at is None:
        notices.mark_read([row], at=visitor.at)
    return visitor.render(
        "accounts/notice.html",
        notice=row,
        text=notice_rules.split_at_link(row.body),
        copies=notices.sent_copies_of(row.id),
        target=_target_link(row),
    )


@require_POST
@person_page
def mark_all_read(visitor: Visitor) -> HttpResponse:
    """Mark all notices as read."""
    count = notices.mark_all_read(visitor.person.id, at=visitor.at)
    text = ngettext("%(count)d message marked as read.", "%(count)d messages marked as read.", count)
    messages.success(visitor.request, text % {"count": count} if count else _("No unread messages."))
    return redirect(_inbox_url(_requested_category(visitor.posted("show"))))


def _requested_category(query: str) -> str:
    """The requested category, or all if it is unknown, so that old links keep working."""
    return query if query in CATEGORIES else EVERYTHING


def _inbox_url(category: str, **more: str) -> str:
    query = {"show": category, **more} if category else more
    return reverse("inbox") + (f"?{urlencode(query)}" if query else "")


def _target_link(row: Any) -> tuple[str, str]:
    """The URL that the notice links to, and the label of the button."""
    category, path = notice_rules.category_of(row.stage), notice_rules.linked_path(row.body)
    if category == notice_rules.SECURITY:
        return reverse("settings"), _("Go to settings")
    if row.stage in notice_rules.LIMIT_STAGES:
        return reverse("standing"), _("Score and limit")
    if row.stage in notice_rules.HELP_STAGES and "/help/" in path:
        return path, _("View request")
    if row.order_id:
        return reverse("order", args=[ids.public("ord", row.order_id)]), _("View order")
    return reverse("orders"), _("View my promise record")
