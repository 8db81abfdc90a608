"""How many files a process may have open: each line to somebody is one, and many systems give 1,024 unasked."""

import resource

#: What a process asks for. A web process may have 2,048 lines open to it, and the courier's rings as many together.
FILES = 8192


def allow_files(wanted: int = FILES) -> None:
    """As many as wanted, as far as the system lets this process; never fewer than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
