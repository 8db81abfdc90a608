"""A new web process responds to its first request as fast as to any other."""

import subprocess
import sys
from pathlib import Path

import pytest

from bnpl import gc_tuning
from tests.architecture import OWN_APPS

ROOT = Path(__file__).resolve().parents[2]
KEPT = """
import gc
import {module}
{act}
print(gc.get_freeze_count(), gc.get_threshold())
"""
LATER = """
import sys
from bnpl.rsgi import application
before = set(sys.modules)
from django.test import RequestFactory
for path in ("/v1/orders", "/account/login/", "/merchant/login/", "/ops/login/", "/docs/"):
    environ = RequestFactory(HTTP_HOST="127.0.0.1")._base_environ(PATH_INFO=path)
    b"".join(application.app(environ, lambda status, headers: None))
print(*sorted(name for name in set(sys.modules) - before if "." in name))
"""
SMALL = {"accounts.adapter", "accounts.sessions"}  # of the library that signs people in, when it first does


def run(code: str) -> str:
    """The last line of what a process of its own prints."""
    done = subprocess.run(  # noqa: S603  our own Python
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("module", "act"),
    [
        ("bnpl.rsgi", ""),
        ("bnpl.celery", "from celery.signals import worker_init; worker_init.send(sender=None)"),
    ],
)
def test_what_is_loaded_is_not_looked_through_for_garbage(module: str, act: str) -> None:
    kept, _, thresholds = run(KEPT.format(module=module, act=act)).partition(" ")
    assert int(kept) > 10_000
    assert thresholds == str(gc_tuning.GC_THRESHOLDS)


def test_processes_that_print_nothing_do_not_load_the_pdf_library() -> None:
    loaded_by_then = run("import sys, bnpl.rsgi; print(*{'fpdf', 'fontTools'} & set(sys.modules), 'none')")
    assert loaded_by_then == "none"


def test_every_view_and_tag_is_loaded_before_the_first_request() -> None:
    later = run(LATER).split()
    assert {name for name in later if name.split(".")[0] in OWN_APPS} <= SMALL
