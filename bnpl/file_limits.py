"""The limit of open files of a process: each connection is one, and the default of many systems is 1,024."""

import resource

#: Enough for a web process with 2,048 client connections, and for as many webhooks in flight in the courier.
OPEN_FILES = 8192


def raise_open_file_limit(wanted: int = OPEN_FILES) -> None:
    """Raise the soft limit to `wanted`, or to the hard limit if that is lower; never lower it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
