"""Console lists: how far they count, and which page each row links to."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.core.paginator import Paginator
from django.db.models import DateTimeField, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property

from kernel import actor_names

#: Lists are counted up to this number; "10000" then means "at least that many".
COUNT_MAX = 10_000
#: For models that have a detail page, its URL name. Filled in by the project's URL module.
DETAIL_PAGES: dict[type, str] = {}


def cell_value(model_admin: "ModelAdmin[Any]", name: str, row: Model) -> object:
    """The value of a row in one of the list's columns, as plain text."""
    try:
        _field, _attribute, value = lookup_field(name, row, model_admin)
    except (AttributeError, ObjectDoesNotExist, FieldDoesNotExist):
        value = row
        for step in name.split("__"):
            value = getattr(value, step, None)
    return export_time(value) if isinstance(value, datetime) else value


def export_time(value: datetime) -> str:
    """A time in a file, in the console's zone and in the form that spreadsheets read; the heading names the zone."""
    return value.astimezone(ZoneInfo(settings.CONSOLE_ZONE)).strftime("%Y-%m-%d %H:%M:%S")


def export_heading(model_admin: "ModelAdmin[Any]", name: str) -> str:
    """The heading of a column in a file; of a time with its zone."""
    label = str(label_for_field(name, model_admin.model, model_admin))
    fields = {field.name: field for field in model_admin.model._meta.concrete_fields}
    return f"{label} ({settings.CONSOLE_ZONE})" if isinstance(fields.get(name), DateTimeField) else label


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Counts no further than `COUNT_MAX`, so that a table of a hundred million rows is not scanned for its count."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:COUNT_MAX].count() if isinstance(rows, QuerySet) else len(rows)


def detail_url(row: Any) -> str:
    """The URL of the row's detail page; of its admin page if it has none."""
    name = DETAIL_PAGES.get(type(row))
    if name is not None:
        return reverse(name, args=[row.public_id])
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


class ConsoleChangeList(ChangeList):
    """A change list whose rows link to their detail page, if there is one, and show actors by name."""

    def url_for_result(self, result: Any) -> str:
        return detail_url(result) if type(result) in DETAIL_PAGES else super().url_for_result(result)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        actor_names.attach_actor_names(self.result_list, [str(name) for name in self.list_display])
