"""Whoever holds many lines asks the system for the files: many systems give a process 1,024 and no more unasked."""

import resource
import subprocess
import sys

import pytest

from bnpl.files import FILES

_TELLS = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
_WORKER = "import bnpl.celery, celery.signals as s; s.worker_init.send(None)"


@pytest.mark.parametrize("begins", ["import bnpl.rsgi", _WORKER])
@pytest.mark.parametrize("soft", [1_024, FILES + 5])
def test_a_process_has_the_files_it_needs_and_never_fewer_than_it_had(begins: str, soft: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < soft:
        pytest.skip(f"the system lets nobody here have more than {hard} files")
    done = subprocess.run(  # noqa: S603
        ["bash", "-c", f'ulimit -Sn {soft}; exec "$0" -c "$1"', sys.executable, f"{begins}; {_TELLS}"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    assert int(done.stdout.split()[-1]) == max(soft, most)
