"""A process that has just begun to serve answers its first caller as soon as any other."""

import subprocess
import sys
from pathlib import Path

from tests.architecture import HOUSE

ROOT = Path(__file__).resolve().parents[2]
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


def test_every_view_and_tag_is_loaded_before_the_first_request() -> None:
    done = subprocess.run(  # noqa: S603  our own Python
        [sys.executable, "-W", "ignore", "-c", LATER], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.splitlines()[-1].split()
    assert {name for name in loaded if name.split(".")[0] in HOUSE} <= SMALL
