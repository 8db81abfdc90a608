"""Where people fetch, show and erase what is their own."""

from django.urls import URLPattern, path

from personal.pages import data

urlpatterns: list[URLPattern] = [
    path("settings/data/", data.my_data, name="my_data"),
    path("settings/data/ask", data.ask, name="ask_export"),
    path("settings/data/<str:export>", data.fetch, name="fetch_export"),
]
