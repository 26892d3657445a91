"""Which users a percentage takes in, and which variant each gets: the same in every language.

A bucket is murmur3 x86_32, unsigned, of the UTF-8 bytes of `"<flag key>:<bucket value>"`, scaled to 0–99,999 by
`hash * 100_000 >> 32`. Seed 0 buckets for the rollout and seed 1 for the split, so that the two are independent.
A rollout takes in the buckets below `round(percentage * 1000)`: a higher percentage only ever adds users.
`proto/vectors/bucketing.json` and `split.json` are the test vectors.
"""

import math
from collections.abc import Sequence
from typing import Any

import mmh3

BUCKETS = 100_000
ROLLOUT_SEED = 0
SPLIT_SEED = 1


def id_text(value: Any) -> str | None:
    """Return the id that a value stands for, or None where it stands for none.

    A string is itself, the empty one included. An int is its decimal digits, because many apps number their users.
    Everything else (also True, 1.0, and None) has no id: languages print those differently, and two spellings of
    one user would fall into two buckets.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return int.__repr__(value)
        except ValueError:  # beyond the interpreter's limit of digits; no id is that long
            return None
    return None


def hash_prefix(flag: str) -> bytes:
    """Return what is hashed before the bucket value."""
    return f"{flag}:".encode("utf-8", "surrogatepass")


def bucket_hash(prefix: bytes, value: Any, seed: int) -> int | None:
    """Return the 32-bit hash of `<prefix><value>`, or None where the value has no id.

    Lone surrogates, which UTF-8 cannot carry, are encoded like any other code point (three bytes each).
    Text is encoded here and never given to mmh3 as it is: mmh3 5.3.1 crashes the process on a lone surrogate.
    """
    text = id_text(value)
    if text is None:
        return None
    return mmh3.mmh3_32_uintdigest(prefix + text.encode("utf-8", "surrogatepass"), seed)


def bucket(prefix: bytes, value: Any, seed: int) -> int | None:
    """Return the bucket, 0–99,999, or None where the value has no id."""
    hashed = bucket_hash(prefix, value, seed)
    return None if hashed is None else hashed * BUCKETS >> 32


def rollout_limit(percentage: float) -> int:
    """Return how many of the 100,000 buckets a percentage takes in."""
    return min(max(round(percentage * 1000), 0), BUCKETS)


def split_limits(weights: Sequence[float]) -> tuple[int, ...]:
    """Return, per variant, the bucket below which it (or one before it) is picked; empty where none can be.

    The limit is `floor(sum of the weights so far / sum of all * 100_000 + 0.5)` in IEEE doubles, added from left to
    right: any language gets the same. A weight that is negative or not finite counts as 0, and 0 is never picked.
    """
    usable = [w if w > 0 and math.isfinite(w) else 0.0 for w in weights]
    total = sum_left_to_right(usable)
    if not 0 < total < math.inf:
        return ()
    limits, so_far = [], 0.0
    for weight in usable:
        so_far += weight
        limits.append(math.floor(so_far / total * BUCKETS + 0.5))
    return tuple(limits)


def sum_left_to_right(numbers: Sequence[float]) -> float:
    """Add in order. The built-in `sum` of Python 3.12 compensates rounding, which other languages do not."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def hash_limit(limit: int) -> int:
    """Return the hash below which a bucket is below `limit`: saves the scaling in compiled flags."""
    return -(-(limit << 32) // BUCKETS)
