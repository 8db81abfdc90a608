"""Sending messages by the configured backends, and storing them locally."""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import URLPattern

from accounts import messaging, urls
from accounts.models import LocalMessage
from tests.accounts.browser import ADA

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_local_messages_are_listed_newest_first() -> None:
    messaging.send_text(ADA, "first <b>")
    messaging.LocalMail().send_messages([EmailMessage("Subject", "Body", to=["a@example.com"], cc=["b@example.com"])])
    answer = Client().get("/dev/messages", headers={"accept": "application/json"})
    assert answer["Content-Type"] == "application/json"
    data = answer.json()["data"]
    assert [(m["kind"], m["to"], m["text"]) for m in data] == [
        ("mail", "b@example.com", "Subject\n\nBody"),
        ("mail", "a@example.com", "Subject\n\nBody"),
        ("sms", ADA, "first <b>"),
    ]
    assert all(datetime.fromisoformat(m["at"]).tzinfo for m in data)
    page = Client().get("/dev/messages", headers={"accept": "text/html"})
    assert page["Content-Type"].startswith("text/html")
    assert "first &lt;b&gt;" in page.content.decode()
    assert "no-store" in page["Cache-Control"]


@pytest.mark.django_db
def test_local_messages_are_read_only() -> None:
    assert Client().post("/dev/messages").status_code == 405
    assert Client().get("/dev/messages").status_code == 200


class RecordingSmsBackend:
    sent: list[tuple[str, str]] = []

    def send(self, phone: str, text: str) -> None:
        self.sent.append((phone, text))


def test_the_setting_names_who_sends(settings: LazySettings) -> None:
    settings.SMS_BACKEND = f"{__name__}.RecordingSmsBackend"
    RecordingSmsBackend.sent.clear()
    messaging.send_text(ADA, "hello")
    assert RecordingSmsBackend.sent == [(ADA, "hello")]


def test_a_text_to_a_made_up_number_never_leaves_production(settings: LazySettings) -> None:
    settings.SMS_BACKEND, settings.LOCAL_MESSAGES = f"{__name__}.RecordingSmsBackend", False
    RecordingSmsBackend.sent.clear()
    messaging.send_text("+8615412345678", "hello")
    assert RecordingSmsBackend.sent == []


def test_without_a_sender_a_text_fails_loudly(settings: LazySettings) -> None:
    settings.SMS_BACKEND = ""
    with pytest.raises(ImproperlyConfigured):
        messaging.send_text(ADA, "hello")


@pytest.mark.django_db
def test_nothing_is_kept_where_messages_really_go_out(settings: LazySettings) -> None:
    settings.LOCAL_MESSAGES = False
    with pytest.raises(ImproperlyConfigured):
        messaging.send_text(ADA, "hello")
    assert LocalMessage.objects.count() == 0


def test_the_page_of_local_messages_exists_locally_only() -> None:
    def names(routes: list[URLPattern]) -> set[str | None]:
        return {route.name for route in routes}

    assert names(urls.routes(local_messages=True)) - names(urls.routes(local_messages=False)) == {"local_messages"}


PRODUCTION = {
    "BNPL_POSTURE": "production",
    "SECRET_KEY": "k3Jx9vQ2mZ7pL4wR8tY6uB1nC5dF0gHsXaEeViOoTyUqWzMlAb37",
    "BASE_URL": "https://pay.example",
    "PII_KEYS": "k1:q83vEjRWeJCrze8SNFZ4kLzN3v8BI0VniavN7wEjRWc=",
    "BLIND_INDEX_KEY": "3q2+78r+ur4SNFZ4kKvN7xEiM0RVZneImaq7zN3u/xA=",
    "PROOF_KEYS": "p1:7Hk2mQ9xT4vB1cN8rL5wY0zJ3fD6gS+aPeUoIiKjVhM=",
    "DATABASE_URL": "postgresql:///nowhere",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SMS_BACKEND": "shop.texts.Sender",
}


def in_production(program: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", f"import django; django.setup(); {program}"],
        env={"PATH": os.defpath, "DJANGO_SETTINGS_MODULE": "bnpl.settings", **PRODUCTION, **more},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_in_production_the_page_is_an_address_of_nothing() -> None:
    asked = in_production(
        "from django.test import Client; print(Client(raise_request_exception=False)"
        ".get('/dev/messages', secure=True, headers={'host': 'pay.example'}).status_code)"
    )
    assert asked.stdout.strip() == "404", asked.stderr


def test_production_does_not_start_with_a_sender_that_keeps_messages() -> None:
    assert in_production("pass").returncode == 0
    assert "SMS_BACKEND is missing" in in_production("pass", SMS_BACKEND="").stderr
    refused = in_production("pass", SMS_BACKEND="accounts.messaging.LocalTexts")
    assert refused.returncode != 0
    assert "production sends messages and keeps none" in refused.stderr
