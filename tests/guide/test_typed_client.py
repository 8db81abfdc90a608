"""A typed client generated from the OpenAPI document can run the quick start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.conftest import make_shop

ROOT = Path(__file__).resolve().parents[2]
STORY = Path(__file__).with_name("typed_story.txt")
#: The generated code is tidied by the formatter this house has; the generator looks for it beside the interpreter.
CONFIG = """
project_name_override: bnpl-client
package_name_override: bnpl_client
post_hooks: ["ruff format --isolated --quiet ."]
"""


def run(module: str, *args: str, folder: Path, **env: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603  our own words
        [sys.executable, *(["-m", module] if module else []), *args],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PATH": path, **env},
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated client in it, and the story."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "config.yml").write_text(CONFIG, encoding="utf-8")
    (folder / "story.py").write_text(STORY.read_text(encoding="utf-8"), encoding="utf-8")
    described = str(ROOT / "docs" / "openapi.json")
    options = ["--config", "config.yml", "--meta", "none", "--output-path", "bnpl_client", "--fail-on-warning"]
    said = run("openapi_python_client", "generate", "--path", described, *options, folder=folder)
    assert "warning" not in said.lower()
    return folder


def test_a_program_with_the_client_passes_strict_type_checks(package: Path) -> None:
    strict = ["--strict", "--config-file", os.devnull, "--follow-imports=silent", "--cache-dir", os.devnull]
    assert "no issues" in run("mypy", *strict, "story.py", folder=package)


@pytest.mark.django_db(transaction=True)
def test_the_client_runs_the_quick_start(package: Path, live_server: LiveServer) -> None:
    shop = make_shop("来电充电宝")
    told = run("", "story.py", folder=package, HOME_OF_BNPL=live_server.url, KEY=shop.secret)
    assert told.split("\n")[0] == "above_ceiling True deducted 600 {}"
