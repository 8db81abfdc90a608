"""The operations console's admin site: the list of tables beside every page."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import get_language


class ConsoleSite(AdminSite):
    """Lists the tables that the user may view beside every page, sorted, in the user's language."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._app_lists: dict[tuple[object, ...], list[dict[str, Any]]] = {}

    def get_app_list(self, request: Any, app_label: str | None = None) -> list[Any]:
        """Cached per language and set of visible tables: building the list takes longer than rendering most pages.

        There are at most as many entries as languages times combinations of groups.
        """
        visible = tuple(model for model, shown in self._registry.items() if shown.has_view_permission(request))
        key = (get_language(), app_label, visible)
        if key not in self._app_lists:
            self._app_lists[key] = [_with_translated_names(app) for app in super().get_app_list(request, app_label)]
        return self._app_lists[key]


def _with_translated_names(app: Any) -> dict[str, Any]:
    """The entry with its lazy translations resolved."""
    tables = [{**table, "name": str(table["name"])} for table in app["models"]]
    return {**app, "name": str(app["name"]), "models": tables}


class ConsoleConfig(AdminConfig):
    default_site = "kernel.console_site.ConsoleSite"
