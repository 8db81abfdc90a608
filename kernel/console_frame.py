"""What stands around every page of the operations console."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import get_language


class ConsoleSite(AdminSite):
    """Names all tables beside every page: in order, in the reader's language, those that the reader may see."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._named: dict[tuple[object, ...], list[dict[str, Any]]] = {}

    def get_app_list(self, request: Any, app_label: str | None = None) -> list[Any]:
        """Naming and sorting a hundred tables takes longer than most pages: it is done once for all who see the same.

        They are as few as the languages times the groups.
        """
        seen = tuple(model for model, shown in self._registry.items() if shown.has_view_permission(request))
        key = (get_language(), app_label, seen)
        if key not in self._named:
            self._named[key] = [_spoken(app) for app in super().get_app_list(request, app_label)]
        return self._named[key]


def _spoken(app: Any) -> dict[str, Any]:
    """With words that are no longer looked up each time they are read."""
    tables = [{**table, "name": str(table["name"])} for table in app["models"]]
    return {**app, "name": str(app["name"]), "models": tables}


class ConsoleConfig(AdminConfig):
    default_site = "kernel.console_frame.ConsoleSite"
