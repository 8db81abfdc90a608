"""Base classes of the operations console's admin pages: read-only tables. Changes are made by row actions."""

from collections.abc import Collection
from http import HTTPStatus
from itertools import chain
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import ModelAdmin, ShowFacets, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ORDER_VAR
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.db.models import BinaryField, CharField, Model, QuerySet, UniqueConstraint
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from kernel import actor_names, audit, ids
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.console_filters import is_lookup_allowed
from kernel.console_lists import COUNT_MAX, BoundedPaginator, ConsoleChangeList, cell_value, export_heading
from kernel.labels import display_column, history_label, label_admin
from kernel.models import LIVE
from kernel.rate_limits import client_address
from kernel.spreadsheets import CSV, XLSX, csv_text, xlsx

#: The groups that may view the console; accounts creates them (a test compares the two lists).
VIEWERS = ("viewer", "support", "collections", "risk", "finance", "supervisor", "auditor")
#: The groups that may read the audit log.
AUDITORS = ("auditor", "supervisor")
#: The most rows a direct export of a list may have, and its file types.
EXPORT_MAX = 10_000
EXPORT_TYPES = {"csv": CSV, "xlsx": XLSX}
#: The name of the URL that exports longer lists in the background. Filled in by the project's URL module.
LARGE_EXPORT_URLS: list[str] = []
_GROUPS_ATTR = "_names_of_groups"


def _render_in_console_zone(response: HttpResponse) -> HttpResponse:
    """Render the response with times in the console's time zone."""
    with timezone.override(settings.CONSOLE_ZONE):
        return response.render() if isinstance(response, SimpleTemplateResponse) else response


def is_in_groups(user: object, groups: Collection[str]) -> bool:
    """Whether this is a colleague in one of the groups; a superuser is in all of them."""
    if not isinstance(user, PermissionsMixin) or not isinstance(user, AbstractBaseUser):
        return False
    if not (user.is_active and getattr(user, "is_staff", False)):
        return False
    if user.is_superuser:
        return True
    user_groups: frozenset[str] | None = user.__dict__.get(_GROUPS_ATTR)
    if user_groups is None:  # checked for every model of the index, so read once
        user_groups = user.__dict__[_GROUPS_ATTR] = frozenset(group.name for group in user.groups.all())
    return not user_groups.isdisjoint(groups)


class ModeFilter(SimpleListFilter):
    """Filters by live or sandbox. Compares the row's own realm id, one of which is live, so an index serves it."""

    title = _("mode")
    parameter_name = "realm__mode"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        del request, model_admin
        return [("live", _("live")), ("test", _("sandbox"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        del request
        if (mode := self.value()) is None:
            return queryset
        return queryset.filter(**{"live": {"realm": LIVE}, "test": {"realm__gt": LIVE}}.get(mode, {"pk__in": []}))


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """A read-only table. Binary fields (encrypted data, digests) are never shown; subclasses show substitutes."""

    actions = None
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    paginator = BoundedPaginator
    #: Shown on a row's page besides its columns, such as masked or computed values.
    extra_fields: ClassVar[tuple[str, ...]] = ()
    #: Columns that are never shown.
    hidden_fields: ClassVar[frozenset[str]] = frozenset()
    #: Rows hold personal data: each view of one is recorded in the audit log.
    is_personal_data: ClassVar[bool] = False
    #: The column in which a public id from the search box is looked up: `{"per": "person_id"}`, besides the row's own.
    id_lookups: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label_admin(self, [*self.column_names, *self._public_id_field, *self.extra_fields])
        self._display_columns = [
            actor_names.actor_column(self, display_column(self, name)) for name in self.column_names
        ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del request, obj
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del request, obj
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del obj
        return is_in_groups(request.user, VIEWERS)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = _render_in_console_zone(super().change_view(request, object_id, form_url, extra_context))
        if self.is_personal_data and response.status_code == HTTPStatus.OK:
            row = self.model._default_manager.get(pk=object_id)
            self._audit_view(request, f"viewed.{self.model._meta.model_name}", str(getattr(row, "public_id", row.pk)))
        return response

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        params = request.GET.copy()
        kind = params.pop("_as", [""])[0]
        if kind not in EXPORT_TYPES or not self.has_view_permission(request):
            title = capfirst(str(self.model._meta.verbose_name_plural))
            return _render_in_console_zone(super().changelist_view(request, {"title": title, **(extra_context or {})}))
        request.GET = params  # type: ignore[assignment]  # the same, without the parameter that is no column
        try:
            return self._export(request, kind)
        except IncorrectLookupParameters:  # as Django's own list does
            return redirect(f"{request.path}?{ERROR_FLAG}=1")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The columns of a list, with states as badges and codes in words."""
        del request
        return self._display_columns

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleChangeList]:
        del request, kwargs
        return ConsoleChangeList

    def _audit_view(self, request: HttpRequest, act: str, about: str, **data: Any) -> None:
        """Record in the audit log that a colleague viewed or exported rows."""
        if request.user.pk:
            by, place = Actor.staff(request.user.pk), client_address(request)
            audit.record(act, about=about, place=place, by=by, at=live_now(), data=data)

    def _export(self, request: HttpRequest, kind: str) -> HttpResponse:
        """The filtered and sorted list as a file; redirects to the background export if it is too long."""
        head, rows = self.export_rows(request)
        if LARGE_EXPORT_URLS and rows.order_by()[: EXPORT_MAX + 1].count() > EXPORT_MAX:
            query = {"table": self.model._meta.label_lower, "as": kind, "look": request.GET.urlencode()}
            return redirect(f"{reverse(LARGE_EXPORT_URLS[0])}?{urlencode(query)}")
        name = f"{self.model._meta.model_name}.{kind}"
        self._audit_view(request, "exported", name, look=request.GET.dict())
        lines = chain([head], map(self.export_row, rows[:EXPORT_MAX].iterator(chunk_size=1000)))
        body = xlsx(lines) if kind == "xlsx" else csv_text(lines)
        disposition = f'attachment; filename="{name}"'
        return HttpResponse(body, content_type=EXPORT_TYPES[kind], headers={"Content-Disposition": disposition})

    def export_rows(self, request: HttpRequest) -> tuple[list[object], QuerySet[Any]]:
        """The column headings, and the rows as the request filters and sorts them.

        Raises:
            IncorrectLookupParameters: the filters are not valid.
        """
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise IncorrectLookupParameters
        change_list = self.get_changelist_instance(request)
        return [export_heading(self, name) for name in self.column_names], change_list.queryset

    def export_row(self, row: Model) -> list[object]:
        """A row's values as the list shows them, masked where the list masks."""
        return [cell_value(self, name, row) for name in self.column_names]

    @property
    def column_names(self) -> list[str]:
        return [str(name) for name in self.list_display]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # type: ignore[override]
        del request, obj
        names = [
            field.name
            for field in self.model._meta.concrete_fields
            if not isinstance(field, BinaryField) and field.name not in self.hidden_fields
        ]
        return [*self._public_id_field, *self.extra_fields, *names]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """A list short enough to be counted can be sorted by any column; a longer one only by indexed columns."""
        if self._requested_order(request.GET.get(ORDER_VAR, "")) - set(self.get_sortable_by(request)):
            as_typed: Any = request.GET
            unsorted: Any = as_typed.copy()
            del unsorted[ORDER_VAR]
            request.GET = unsorted
            change_list: Any = super().get_changelist_instance(request)
            if change_list.result_count >= COUNT_MAX:
                return change_list
            request.GET = as_typed
        change_list = super().get_changelist_instance(request)
        if change_list.result_count < COUNT_MAX:
            change_list.sortable_by = change_list.list_display
        return change_list

    def _requested_order(self, param: str) -> set[str]:
        """The names of the columns in the `o` parameter, which holds their positions: `2.-3`."""
        words = [word.removeprefix("-") for word in param.split(".")]
        positions = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) <= len("999")]
        return {self.column_names[place] for place in positions if 0 <= place < len(self.column_names)}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow filters on visible columns only, and none on parts of a text."""
        allowed = is_lookup_allowed(self.model, lookup, value, self.hidden_fields)
        return super().lookup_allowed(lookup, value, request) and allowed

    def get_sortable_by(self, request: HttpRequest) -> list[str]:  # type: ignore[override]
        """The columns whose order an index provides: sorting a long list by others costs too much.

        A partial index counts when the list is filtered by the same column.
        """
        filtered_by = {key.partition("__")[0] for key in request.GET} if request else set()
        return [name for name in self.column_names if self._indexed_for(name) & {"all", *filtered_by}]

    def _indexed_for(self, name: str) -> set[str]:
        """For which lists an index starts with this column: `all`, or those filtered by the column itself."""
        column = getattr(getattr(self, name, None), "admin_order_field", None) or name
        meta = self.model._meta
        if column in {"pk", meta.pk.name if meta.pk else ""}:
            return {"all"}
        field = next((one for one in meta.concrete_fields if one.name == column), None)
        if field is None or field.is_relation or isinstance(field, CharField):
            return set()  # sorted by another table's order, or alphabetically
        rules = [*meta.indexes, *(rule for rule in meta.constraints if isinstance(rule, UniqueConstraint))]
        leading = [rule for rule in rules if rule.fields and rule.fields[0].lstrip("-") == column]
        is_full = field.unique or field.db_index or any(rule.condition is None for rule in leading)
        return {"all"} if is_full else {column} if leading else set()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A public id finds exactly its row; any other term is looked for in `search_fields`."""
        prefix = search_term.strip().partition("_")[0]
        columns = self._id_columns
        key = ids.parse(prefix, search_term.strip())
        if key is not None and prefix in columns:
            return queryset.filter(**{columns[prefix]: key}), "__" in columns[prefix]
        if search_term and not self._has_text_search:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def get_search_fields(self, request: HttpRequest) -> Any:
        """Show the search box if public ids or text can be searched."""
        return super().get_search_fields(request) or (["pk"] if self._id_columns else [])

    @property
    def _has_text_search(self) -> bool:
        return bool(self.search_fields)

    @property
    def _public_id_field(self) -> list[str]:
        return ["public_id"] if hasattr(self.model, "public_id") else []

    @property
    def _id_columns(self) -> dict[str, str]:
        own = getattr(self.model, "prefix", None)
        return {**({own: "pk"} if own else {}), **self.id_lookups}


class HistoryAdmin(ReadOnlyAdmin):
    """A table of history lines."""

    list_display = ["subject", "seq", "kind", "source", "target", "by", "at"]
    list_select_related = ["subject"]
    search_fields = ["by__exact"]
    extra_fields = ("happened",)
    ordering = ["-id"]

    def happened(self, line: Any) -> object:
        """The label of the line's kind."""
        return history_label(line)
