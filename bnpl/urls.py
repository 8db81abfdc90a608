"""The addresses of the house. `/healthz` and `/readyz` are answered before this table is read: see bnpl.health."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("bnpl.api")),
    path("", include("accounts.urls")),
    path("ops/", admin.site.urls),
]

handler429 = "accounts.pages.too_many"
