"""The interface of a store of samples: the latest of each flag, by environment.

They are samples: whoever reads them can do with others, so nothing is done to keep them. They are bounded in number
(of a flag, and of flags), in size (`wigwag_proto.samples`), and in time.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

SAMPLES_OF_FLAG = 200
# Where so many flags have samples, no other one gets any until one of them had none for a day. With all the bounds, an
# environment takes some 50 MB at most.
SAMPLED_FLAGS = 500
KEPT_S = 86_400
KEY_BYTES = 32


class Taken(msgspec.Struct, frozen=True):
    """A sample as it is kept: of which flag, and as JSON."""

    flag: str
    data: bytes


class Kept(msgspec.Struct, frozen=True):
    """A sample as it is read: when it came in (seconds since 1970), and as JSON."""

    at_s: int
    data: bytes


class SampleStore(Protocol):
    """Every method raises StoreUnavailable when the store does not answer."""

    async def key(self, environment: str) -> bytes:
        """Return what the ids of an environment are hashed with. It is made at the first call."""

    async def add(self, environment: str, samples: Sequence[Taken]) -> None:
        """Add samples; of each flag the latest stay."""

    async def read(self, environment: str, flag: str) -> list[Kept]:
        """Return the samples of a flag, the latest first."""

    async def forget(self, environment: str) -> None:
        """Drop all samples of an environment, and its key."""

    async def close(self) -> None:
        """Release what it holds."""
