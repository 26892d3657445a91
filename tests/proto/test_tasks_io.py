"""Tasks end with their owner, also those that are hard of hearing."""

import asyncio

from wigwag_proto.tasks_io import Tasks


async def test_a_task_that_lost_its_cancellation_is_cancelled_again() -> None:
    deaf = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            deaf.set()  # as `asyncio.wait_for` does when what it waits for is done in the same moment
        await asyncio.Event().wait()

    tasks = Tasks()
    task = tasks.start("deaf", work())
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.close(), 20.0)
    assert deaf.is_set()
    assert task.cancelled()
