"""The directories of the embedded servers, and the user they run as: PostgreSQL refuses to run as root."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

NOBODY = "nobody"
SOCKET_PATH_MAX = 100  # the kernel takes 107 bytes (103 on macOS), and PostgreSQL's lock file is a little longer
OWNER_ONLY = 0o700
LONGEST_SOCKET = ".s.PGSQL.5432.lock"


class CannotStartError(Exception):
    """The stack cannot start. The message is one sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class RuntimeDirs:
    state: Path
    sockets: Path
    user: str | None

    def folder(self, name: str) -> Path:
        """A directory that only the servers' user may open."""
        folder = self.state / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(OWNER_ONLY)
        self.chown(folder)
        return folder

    def chown(self, path: Path) -> None:
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def find_program(self, package: str, pattern: str, copied: tuple[str, ...]) -> Path | None:
        """A program from an installed wheel, copied to the state directory if the user cannot execute it in place."""
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        site = Path(spec.submodule_search_locations[0]).parent
        program = next(iter(sorted(site.glob(f"{package}/{pattern}"))), None)
        if program is None or can_execute(self.user, program):
            return program
        version = importlib.metadata.version(package)
        copy = self.state / "programs" / f"{package}-{version}"
        if not copy.is_dir():
            self.copy_packages(site, copy, copied)
        return copy / program.relative_to(site)

    def copy_packages(self, site: Path, copy: Path, names: tuple[str, ...]) -> None:
        new = copy.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        for name in names:
            shutil.copytree(site / name, new / name, symlinks=True)
        copy.parent.chmod(0o755)
        for path in (new, *new.rglob("*")):
            self.chown(path)
        new.rename(copy)


def can_execute(user: str | None, path: Path) -> bool:
    """Whether this user can reach and execute it; tested as that user, since every parent directory counts."""
    if user is None:
        return os.access(path, os.X_OK)
    test = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$0"', str(path)],
        user=user,
        group=pwd.getpwnam(user).pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return test.returncode == 0


def choose_runtime_dirs(home: Path) -> RuntimeDirs:
    """The state is kept in `home`, or under /var/lib if the servers' user cannot reach `home`."""
    user = NOBODY if os.geteuid() == 0 else None
    state = home
    if user:
        home.chmod(0o711)  # its secrets are files of mode 0600
        state = home if can_execute(user, home) else fallback_state_dir(home)
    dirs = RuntimeDirs(state=state, sockets=state / "sockets", user=user)
    if len(str(dirs.sockets / LONGEST_SOCKET)) <= SOCKET_PATH_MAX:
        dirs.folder("sockets")
        return dirs
    digest = hashlib.sha256(str(state).encode()).hexdigest()[:10]
    short = Path(tempfile.gettempdir()) / f"bnpl-{os.geteuid()}-{digest}"
    return RuntimeDirs(state=state, sockets=private_temp_dir(short, dirs), user=user)


def fallback_state_dir(home: Path) -> Path:
    """A directory whose name is stored in `home`: removing `home` starts afresh, without data of the old keys."""
    note = home / "state-folder"
    if not note.is_file():
        note.write_text(f"/var/lib/bnpl-{secrets.token_hex(5)}\n", encoding="utf-8")
    state = Path(note.read_text(encoding="utf-8").strip())
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o711)
    return state


def private_temp_dir(folder: Path, dirs: RuntimeDirs) -> Path:
    """A short path in the shared temporary directory; refused unless it is owned by the servers' user alone."""
    if not os.path.lexists(folder):
        folder.mkdir(mode=OWNER_ONLY)
        dirs.chown(folder)
    info = folder.lstat()
    owner = pwd.getpwnam(dirs.user).pw_uid if dirs.user else os.geteuid()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != owner or stat.S_IMODE(info.st_mode) != OWNER_ONLY:
        raise CannotStartError(f"{folder} belongs to somebody else; set BNPL_HOME to a shorter path.")
    return folder
