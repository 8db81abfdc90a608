"""Processes raise their limit of open files, whose default is 1,024 on many systems."""

import resource
import subprocess
import sys

import pytest

from bnpl.file_limits import OPEN_FILES

_TELLS = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
_WORKER = "import bnpl.celery, celery.signals as s; s.worker_init.send(None)"


@pytest.mark.parametrize("begins", ["import bnpl.rsgi", _WORKER])
@pytest.mark.parametrize("soft", [1_024, OPEN_FILES + 5])
def test_the_limit_is_raised_and_never_lowered(begins: str, soft: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < soft:
        pytest.skip(f"the system lets nobody here have more than {hard} files")
    done = subprocess.run(  # noqa: S603
        ["bash", "-c", f'ulimit -Sn {soft}; exec "$0" -c "$1"', sys.executable, f"{begins}; {_TELLS}"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    raised = int(done.stdout.split()[-1])
    if "rsgi" in begins:  # granian raises it further, to the hard limit
        assert raised >= max(soft, most)
    else:
        assert raised == max(soft, most)
