"""Samples of the contexts that flags were decided for: for whoever asks how many of them a change would touch.

What leaves an app in a sample is bounded in kind as well as in size: the attributes that the rules of the flag ask for
and no others; of ids (the user's, what a flag is bucketed by, what a segment is asked about) and of attributes that the
app calls private, only a keyed hash and the buckets that they fall into. With the key, which every app and server of
the environment has, a hash can be compared with that of a known id. So it is a pseudonym, and not anonymous.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wigwag_proto.bucketing import ROLLOUT_SEED, SPLIT_SEED, bucket, hash_prefix, id_text
from wigwag_proto.context import USER_ID
from wigwag_proto.evaluate import LinkedFlag
from wigwag_proto.flag import Rule
from wigwag_proto.operators import SEGMENT_OPERATORS
from wigwag_proto.references import all_rules

# The answer to a report asks for samples with this header: how many at most with the next report, and the key.
SAMPLES_HEADER = "Wigwag-Samples"
SAMPLES_LIMIT = 50  # of one report
LARGEST_SAMPLE = 512  # bytes of JSON; a larger one is not sent
LONGEST_TEXT = 128
MOST_ELEMENTS = 16
LONGEST_NAME = 128
NO_ID = "x"

Name = Annotated[str, Meta(max_length=LONGEST_NAME)]
Scalar = Annotated[str, Meta(max_length=LONGEST_TEXT)] | bool | int | float | None
Elements = Annotated[list[Scalar], Meta(max_length=MOST_ELEMENTS)]
IdHash = Annotated[str, Meta(pattern=f"^([si][0-9a-f]{{16}}|{NO_ID})$")]
BucketNumber = Annotated[int, Meta(ge=0, lt=100_000)]


class Buckets(msgspec.Struct, frozen=True, array_like=True):
    """Where a context falls for one flag. `by` is the attribute; without a value of it there are no buckets."""

    by: Name
    rollout: BucketNumber | None
    split: BucketNumber | None


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One context that a flag was decided for.

    Null in `attributes` and `ids`: the context has no such attribute. One that is in neither was not asked for, or is
    no JSON. `buckets` are those of the flag and of the flags that it requires, by key.
    """

    flag: Name
    attributes: dict[Name, Scalar | Elements] = {}
    ids: dict[Name, IdHash | None] = {}
    buckets: dict[Name, Buckets] = {}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sample of one flag holds. `buckets` are pairs of a flag and the attribute that it is bucketed by."""

    names: frozenset[str]
    ids: frozenset[str]
    buckets: tuple[tuple[str, str], ...]


def wanted_of(linked: LinkedFlag, private: Iterable[str] = ()) -> Wanted:
    """Return what the decision on a flag may look at. Attributes that are `private` count as ids."""
    names: set[str] = set()
    ids: set[str] = {USER_ID}
    buckets: dict[str, str] = {}
    waiting = [linked]
    while waiting:
        each = waiting.pop()
        if each.flag.key in buckets:
            continue
        buckets[each.flag.key] = each.flag.bucket_by
        ids.add(each.flag.bucket_by)
        rules: list[Rule] = [*all_rules(each.flag)]
        ids |= {rule.attribute for rule in rules if rule.operator in SEGMENT_OPERATORS}
        for segment in each.segments.values():
            rules += segment.segment.rules
        names |= {rule.attribute for rule in rules}
        waiting += each.required.values()
    ids |= names.intersection(private)
    return Wanted(frozenset(names - ids), frozenset(ids), tuple(buckets.items()))


def sample_of(flag: str, wanted: Wanted, attributes: Mapping[str, Any], salt: bytes) -> Sample | None:
    """Return a sample; None where it would be too large."""
    found: dict[str, Any] = {}
    for name in wanted.names:
        value = attributes.get(name)
        if value is None or _is_plain(value):
            found[name] = value
        elif _is_plain_list(value):
            found[name] = list(value)
    ids = {name: hashed_id(attributes.get(name), salt) for name in wanted.ids}
    buckets = {key: _buckets(key, by, attributes.get(by)) for key, by in wanted.buckets}
    sample = Sample(flag, found, ids, buckets)
    return sample if len(msgspec.json.encode(sample)) <= LARGEST_SAMPLE else None


def hashed_id(value: Any, salt: bytes) -> str | None:
    """Return what stands for an id in a sample: whether it is text or a number, and its hash. None for no value."""
    if value is None:
        return None
    text = id_text(value)
    if text is None:
        return NO_ID
    return ("s" if isinstance(value, str) else "i") + hash_of(text, salt)


def hash_of(text: str, salt: bytes) -> str:
    """Return the hash of an id: 64 bits of BLAKE2b (RFC 7693), keyed."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).hexdigest()


def samples_header(most: int, salt: bytes) -> str:
    """Return what asks for samples."""
    return f"{most} {salt.hex()}"


def read_samples_header(text: str | None) -> tuple[int, bytes] | None:
    """Return how many samples are asked for, and the key; None where none are."""
    parts = (text or "").split()
    try:
        most, salt = int(parts[0]), bytes.fromhex(parts[1])
    except (ValueError, IndexError):
        return None
    return (min(most, SAMPLES_LIMIT), salt) if most > 0 and 16 <= len(salt) <= 64 else None


def _buckets(key: str, by: str, value: Any) -> Buckets:
    prefix = hash_prefix(key)
    return Buckets(by, bucket(prefix, value, ROLLOUT_SEED), bucket(prefix, value, SPLIT_SEED))


def _is_plain_list(value: Any) -> bool:
    some = isinstance(value, (list, tuple, set, frozenset)) and len(value) <= MOST_ELEMENTS
    return some and all(_is_plain(each) for each in value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return type(value) is str and len(value) <= LONGEST_TEXT and value.isprintable()
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return type(value) is int and abs(value) < 2**53
    return type(value) is float and math.isfinite(value)
