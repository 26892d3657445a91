"""How many flags there are in each state, counted once for each state of an environment.

When something changes, everybody who has the list open fetches it again at the same moment. To count ten thousand flags
five times for each of them would keep the server from what matters then.
"""

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from wigwag_server.admin.flag_state import FlagState
from wigwag_server.ui.page import Here

MOST_KEPT = 64
Count = Callable[[FlagState], Awaitable[int]]


class Sums:
    """Keeps what was counted lately."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Counter[str]] = OrderedDict()

    async def of(self, state: Mapping[str, object], search: Mapping[str, str], count: Count) -> Counter[str]:
        """Return the sums. `state` is what /admin/changes says of the environment, `search` what flags must meet."""
        key = (state["environment"], state["cursor"], state["emergencies"], *sorted(search.items()))
        if key not in self._kept:
            self._kept[key] = Counter({each.value: await count(each) for each in FlagState})
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]


async def state_sums(here: Here, search: Mapping[str, str]) -> Counter[str]:
    """Return how many flags of an environment there are in each state, of those that meet a search."""

    async def count(state: FlagState) -> int:
        listed = await here.get("/admin/flags", limit=1, state=state.value, **search)
        return int(listed["total"])

    return await here.request.app[SUMS].of(await here.get("/admin/changes"), search, count)


SUMS = web.AppKey("sums", Sums)
