"""A list of the console: how far it counts, and where each of its rows leads."""

from datetime import datetime
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import lookup_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property

from kernel import actor_names

#: Lists are counted up to here; "10000" then reads as "at least that many".
COUNT_MAX = 10_000
#: Of which rows there is a page that shows all that belongs to them, and what its address is called. The roof fills it.
WHOLE: dict[type, str] = {}


def shown_in(shown: "ModelAdmin[Any]", name: str, row: Model) -> object:
    """What a list shows of a row in one of its columns, in plain text."""
    try:
        _field, _attribute, value = lookup_field(name, row, shown)
    except (AttributeError, ObjectDoesNotExist, FieldDoesNotExist):
        value = row
        for step in name.split("__"):
            value = getattr(value, step, None)
    return value.isoformat() if isinstance(value, datetime) else value


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Counts no further than anybody turns pages: a table of a hundred million rows must not be walked for a number."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:COUNT_MAX].count() if isinstance(rows, QuerySet) else len(rows)


def page_of(row: Any) -> str:
    """Where all that belongs to the row is shown; of one that has no such page, its own."""
    name = WHOLE.get(type(row))
    if name is not None:
        return reverse(name, args=[row.public_id])
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


class Listed(ChangeList):
    """A list whose rows lead to the page that shows all of them, where there is one, and say who did it."""

    def url_for_result(self, result: Any) -> str:
        return page_of(result) if type(result) in WHOLE else super().url_for_result(result)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        actor_names.tell(self.result_list, [str(name) for name in self.list_display])
