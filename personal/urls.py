"""Where people fetch, show and erase what is their own."""

from django.urls import URLPattern, path

from personal.pages import data, leave

urlpatterns: list[URLPattern] = [
    path("settings/data/", data.my_data, name="my_data"),
    path("settings/data/ask", data.ask, name="ask_export"),
    path("settings/leave/", leave.leave, name="leave"),
    path("settings/leave/stay", leave.stay, name="stay"),
    path("settings/data/<str:export>", data.fetch, name="fetch_export"),
]
