"""An example: flags in a worker that takes jobs from a queue.

    export WIGWAG_URL=http://127.0.0.1:8420 WIGWAG_KEY=ww_server_…
    printf '{"user": "ann", "order": 1}\n' | python -m examples.worker

Jobs are lines of JSON on standard input, in place of a real queue. Each job has its own flags: bound to whom it is for,
and to one state of all flags for as long as it lasts. `watch` also counts how the job ended, for the flags that decided
in it, so a guardrail can see that the new way fails more often than the old one.
"""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

from wigwag import FlagClient, WatchedFlags

Job = dict[str, Any]

logger = logging.getLogger(__name__)


async def charge(job: Job, flags: WatchedFlags) -> str:
    """Do one job."""
    if flags.is_enabled("new_checkout"):
        return f"order {job['order']}: the new way"
    return f"order {job['order']}: the old way"


async def jobs() -> AsyncIterator[Job]:
    """Take jobs from the queue."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield json.loads(line)


async def work() -> None:
    """Do jobs until there are no more; one that fails must not keep the next one from being done."""
    async with FlagClient() as client:
        async for job in jobs():
            try:
                with client.watch(user_id=job["user"], plan=job.get("plan", "free")) as flags:
                    print(await charge(job, flags), flush=True)
            except Exception:
                logger.exception("the job %s failed", job)


if __name__ == "__main__":
    asyncio.run(work())
