"""How many connections there may be: each is an open file, and systems permit few of those unless asked for more."""

import logging
import sys

if sys.platform != "win32":  # which has no such limit
    import resource

logger = logging.getLogger(__name__)

# Where a system permits any number, some libraries walk through all that there could be.
ENOUGH = 262_144


def raise_open_files() -> None:
    """Ask for as many open files as the system permits to this process without a privilege."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        logger.warning("this process may have only %d files open, which limits its connections: %s", soft, error)
