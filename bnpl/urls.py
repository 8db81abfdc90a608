"""The addresses of the house. `/healthz` and `/readyz` are answered before this table is read: see bnpl.health."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("ops/", admin.site.urls),
]
