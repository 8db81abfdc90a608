from django.contrib import admin

from kernel.admin_site import ReadOnlyAdmin
from kernel.models import IdempotencyKey, LegalMove, Realm

admin.site.site_header = "先享后付 · 运营"
admin.site.site_title = "先享后付"
admin.site.index_title = "运营后台"
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
