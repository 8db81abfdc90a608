"""The recipes of docs/sandbox.md, run as they are, by a shell and curl, against a real server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.conftest import make_shop

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
#: A line that says what it prints, behind a comment.
SAYS = re.compile(r"field '[^']*'\s+#\s*(\S+)$", re.MULTILINE)
SHELL = shutil.which("bash") or "bash"


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_recipes_do_what_they_say(live_server: LiveServer) -> None:
    shop = make_shop("来电充电宝")
    tools, recipes = BLOCKS[:-4], BLOCKS[-4:]
    tools[0] = tools[0].replace("http://127.0.0.1:8000", live_server.url)
    loud = [line for block in recipes for line in SAYS.findall(block)]
    assert len(loud) >= 6
    quiet = re.sub(r"^advance (\S+?);? ", r"advance \1 >/dev/null; ", "\n".join(recipes), flags=re.MULTILINE)
    quiet = re.sub(r"^advance (\S+)$", r"advance \1 >/dev/null", quiet, flags=re.MULTILINE)
    script = "\n".join(["set -eu", *tools, 'test "$CAME" = True', quiet])
    env = {**os.environ, "KEY": shop.secret, "SERVICE": shop.service.public_id}
    ran = subprocess.run([SHELL, "-c", script], capture_output=True, text=True, env=env, timeout=120, check=False)  # noqa: S603  our own words

    assert ran.returncode == 0, ran.stderr
    printed = re.findall(r"(?:^|\})(\w+)$", ran.stdout, re.MULTILINE)
    assert printed == loud
