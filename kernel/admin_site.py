"""The operations console shows everything and changes nothing; what may be changed there will be verbs, not rows."""

from collections.abc import Collection
from http import HTTPStatus
from itertools import chain
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import ModelAdmin, ShowFacets, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field
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
from kernel.console_filters import is_seen
from kernel.console_lists import COUNT_MAX, BoundedPaginator, Listed, shown_in
from kernel.models import LIVE
from kernel.naming import happened, name_all, spoken
from kernel.rate_limits import address_of
from kernel.sheets import CSV, XLSX, csv_text, xlsx

#: Who may look: the groups that accounts makes (a test holds the two lists together).
VIEWERS = ("viewer", "support", "collections", "risk", "finance", "supervisor", "auditor")
#: Who may read what colleagues looked at and did.
AUDITORS = ("auditor", "supervisor")


#: A file of a list has so many lines at most, and is of one of these kinds.
EXPORT_MAX = 10_000
FILES = {"csv": CSV, "xlsx": XLSX}
#: Where a list is asked for that has more lines than that. The roof fills it in.
LONGER: list[str] = []


def _here(answer: HttpResponse) -> HttpResponse:
    """Written out in the time of the console's colleagues."""
    with timezone.override(settings.CONSOLE_ZONE):
        return answer.render() if isinstance(answer, SimpleTemplateResponse) else answer


_GROUPS = "_names_of_groups"


def belongs(user: object, groups: Collection[str]) -> bool:
    """Whether this is a colleague in one of the groups; a superuser is in all of them."""
    if not isinstance(user, PermissionsMixin) or not isinstance(user, AbstractBaseUser):
        return False
    if not (user.is_active and getattr(user, "is_staff", False)):
        return False
    if user.is_superuser:
        return True
    known: frozenset[str] | None = user.__dict__.get(_GROUPS)
    if known is None:  # asked for every model of the index, read once
        known = user.__dict__[_GROUPS] = frozenset(group.name for group in user.groups.all())
    return not known.isdisjoint(groups)


class ByMode(SimpleListFilter):
    """Rows of live life, or of sandboxes: asked of a row's own realm, of which one is live, so an index answers."""

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
    """A table to look at. Bytes (sealed data, digests) never show; a subclass names what stands in for them."""

    actions = None
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    paginator = BoundedPaginator
    #: Shown on top of a row's own page beside its columns, such as what is masked or worked out.
    also: ClassVar[tuple[str, ...]] = ()
    #: Columns that never show.
    hidden: ClassVar[frozenset[str]] = frozenset()
    #: Its rows are about a human being: whoever opens one is written down.
    personal: ClassVar[bool] = False
    #: A public id typed into the search finds by this column: `{"per": "person_id"}`; its own prefix needs no entry.
    found_by: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_all(self, [*self.shown, *self._public, *self.also])
        self._spoken = [actor_names.shown(self, spoken(self, name)) for name in self.shown]

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
        return belongs(request.user, VIEWERS)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        answer = _here(super().change_view(request, object_id, form_url, extra_context))
        if self.personal and answer.status_code == HTTPStatus.OK:
            row = self.model._default_manager.get(pk=object_id)
            self._told(request, f"viewed.{self.model._meta.model_name}", str(getattr(row, "public_id", row.pk)))
        return answer

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        given = request.GET.copy()
        kind = given.pop("_as", [""])[0]
        if kind not in FILES or not self.has_view_permission(request):
            title = capfirst(str(self.model._meta.verbose_name_plural))
            return _here(super().changelist_view(request, {"title": title, **(extra_context or {})}))
        request.GET = given  # type: ignore[assignment]  # the same, without what no column is called
        try:
            return self._file(request, kind)
        except IncorrectLookupParameters:  # as the list itself answers what it cannot read
            return redirect(f"{request.path}?{ERROR_FLAG}=1")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The columns of a list; a state stands there as a badge, and a code in words."""
        del request
        return self._spoken

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Listed]:
        del request, kwargs
        return Listed

    def _told(self, request: HttpRequest, act: str, about: str, **data: Any) -> None:
        """Write down that a colleague looked."""
        if request.user.pk:
            by, place = Actor.staff(request.user.pk), address_of(request)
            audit.record(act, about=about, place=place, by=by, at=live_now(), data=data)

    def _file(self, request: HttpRequest, kind: str) -> HttpResponse:
        """The list as it is filtered and sorted, with the columns it shows; one that is too long is made elsewhere."""
        head, rows = self.as_file(request)
        if LONGER and rows.order_by()[: EXPORT_MAX + 1].count() > EXPORT_MAX:
            asked = {"table": self.model._meta.label_lower, "as": kind, "look": request.GET.urlencode()}
            return redirect(f"{reverse(LONGER[0])}?{urlencode(asked)}")
        name = f"{self.model._meta.model_name}.{kind}"
        self._told(request, "exported", name, look=request.GET.dict())
        lines = chain([head], map(self.line, rows[:EXPORT_MAX].iterator(chunk_size=1000)))
        body = xlsx(lines) if kind == "xlsx" else csv_text(lines)
        disposition = f'attachment; filename="{name}"'
        return HttpResponse(body, content_type=FILES[kind], headers={"Content-Disposition": disposition})

    def as_file(self, request: HttpRequest) -> tuple[list[object], QuerySet[Any]]:
        """What its columns are called, and its rows as the request filters them.

        Raises:
            IncorrectLookupParameters: no list is filtered like that; of one it could not read the list says so itself.
        """
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise IncorrectLookupParameters
        listed = self.get_changelist_instance(request)
        return [label_for_field(name, self.model, self) for name in self.shown], listed.queryset

    def line(self, row: Model) -> list[object]:
        """A row as the list shows it: what is masked there is masked here."""
        return [shown_in(self, name, row) for name in self.shown]

    @property
    def shown(self) -> list[str]:
        return [str(name) for name in self.list_display]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # type: ignore[override]
        del request, obj
        names = [
            field.name
            for field in self.model._meta.concrete_fields
            if not isinstance(field, BinaryField) and field.name not in self.hidden
        ]
        return [*self._public, *self.also, *names]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """What is short enough to be counted is sorted by any column. A long one is not, whoever types it."""
        if self._sorted_by(request.GET.get(ORDER_VAR, "")) - set(self.get_sortable_by(request)):
            as_typed: Any = request.GET
            unsorted: Any = as_typed.copy()
            del unsorted[ORDER_VAR]
            request.GET = unsorted
            listed: Any = super().get_changelist_instance(request)
            if listed.result_count >= COUNT_MAX:
                return listed
            request.GET = as_typed
        listed = super().get_changelist_instance(request)
        if listed.result_count < COUNT_MAX:
            listed.sortable_by = listed.list_display
        return listed

    def _sorted_by(self, typed: str) -> set[str]:
        """The columns that an address names by their places: `2.-3`."""
        places = [word.removeprefix("-") for word in typed.split(".")]
        found = [int(word) for word in places if word.isascii() and word.isdigit() and len(word) <= len("999")]
        return {self.shown[place] for place in found if 0 <= place < len(self.shown)}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By what an address may filter: by what is seen here, and by no part of a text."""
        return super().lookup_allowed(lookup, value, request) and is_seen(self.model, lookup, value, self.hidden)

    def get_sortable_by(self, request: HttpRequest) -> list[str]:  # type: ignore[override]
        """Columns by which an index puts the rows of a long list in order: by others it would be sorted for each look.

        An index of some of the rows does it for a list that is filtered by the same column.
        """
        asked = {key.partition("__")[0] for key in request.GET} if request else set()
        return [name for name in self.shown if self._led(name) & {"all", *asked}]

    def _led(self, name: str) -> set[str]:
        """Whether an index begins with what this column is sorted by: for all rows, or for those filtered by it."""
        column = getattr(getattr(self, name, None), "admin_order_field", None) or name
        meta = self.model._meta
        if column in {"pk", meta.pk.name if meta.pk else ""}:
            return {"all"}
        field = next((one for one in meta.concrete_fields if one.name == column), None)
        if field is None or field.is_relation or isinstance(field, CharField):
            return set()  # in the order of another table, or of an alphabet
        rules = [*meta.indexes, *(rule for rule in meta.constraints if isinstance(rule, UniqueConstraint))]
        led = [rule for rule in rules if rule.fields and rule.fields[0].lstrip("-") == column]
        whole = field.unique or field.db_index or any(rule.condition is None for rule in led)
        return {"all"} if whole else {column} if led else set()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A public id finds exactly what it names; anything else is looked for in `search_fields`."""
        prefix = search_term.strip().partition("_")[0]
        columns = self._columns
        key = ids.parse(prefix, search_term.strip())
        if key is not None and prefix in columns:
            return queryset.filter(**{columns[prefix]: key}), "__" in columns[prefix]
        if search_term and not self._by_text:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def get_search_fields(self, request: HttpRequest) -> Any:
        """A box to search in stands wherever something can be found."""
        return super().get_search_fields(request) or (["pk"] if self._columns else [])

    @property
    def _by_text(self) -> bool:
        return bool(self.search_fields)

    @property
    def _public(self) -> list[str]:
        return ["public_id"] if hasattr(self.model, "public_id") else []

    @property
    def _columns(self) -> dict[str, str]:
        own = getattr(self.model, "prefix", None)
        return {**({own: "pk"} if own else {}), **self.found_by}


class HistoryAdmin(ReadOnlyAdmin):
    """A table of history lines."""

    list_display = ["subject", "seq", "kind", "source", "target", "by", "at"]
    list_select_related = ["subject"]
    search_fields = ["by__exact"]
    also = ("happened",)
    ordering = ["-id"]

    def happened(self, line: Any) -> object:
        """What its kind says, in words."""
        return happened(line)
