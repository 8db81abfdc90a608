from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from kernel import ids
from kernel.actor import Actor
from kernel.admin_site import AUDITORS, ReadOnlyAdmin, is_in_groups
from kernel.models import AuditHead, AuditLine, IdempotencyKey, LegalMove, Realm

admin.site.site_header = _("Use now, pay later · Operations")
admin.site.site_title = _("Use now, pay later")
admin.site.index_title = _("Operations console")
admin.site.enable_nav_sidebar = False


@admin.register(Realm)
class RealmAdmin(ReadOnlyAdmin):
    list_display = ["id", "mode", "clock_offset", "frozen_at"]
    list_filter = ["mode"]
    ordering = ["id"]


@admin.register(LegalMove)
class LegalMoveAdmin(ReadOnlyAdmin):
    list_display = ["lifecycle", "source", "target"]
    search_fields = ["lifecycle"]
    ordering = ["lifecycle", "source", "target"]


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ["key", "route", "status", "created_at"]
    search_fields = ["key__exact"]
    ordering = ["-id"]


@admin.register(AuditLine)
class AuditLineAdmin(ReadOnlyAdmin):
    list_display = ["id", "at", "by", "act", "about", "why", "place"]
    search_fields = ["about__exact", "by__exact", "act__exact"]
    ordering = ["-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A colleague's username or id finds what they did, and what was done to their account."""
        term = search_term.strip()
        key = ids.parse("usr", term) if term else None
        users = get_user_model().objects
        user = users.filter(pk=key).first() if key else users.filter(username=term).first() if term else None
        if user is None or "\x00" in term:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(Q(by=str(Actor.staff(user.pk))) | Q(about__in=[term, ids.public("usr", user.pk)])), False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del obj
        return is_in_groups(request.user, AUDITORS)


@admin.register(AuditHead)
class AuditHeadAdmin(AuditLineAdmin):
    list_display = ["last"]
    search_fields = []
    ordering = ["id"]
