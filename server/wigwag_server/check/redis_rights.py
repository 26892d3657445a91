"""Which commands a server sends to Redis, tried one after the other on keys that nothing else uses."""

import hashlib
import secrets
from collections.abc import Iterator, Sequence

from redis.exceptions import NoPermissionError, ResponseError

from wigwag_proto.findings import Finding, ok, wrong
from wigwag_server.store.redis import ENVIRONMENTS
from wigwag_server.store.redis_link import Link

# Every command that the store, the roster and the counts send, or their scripts call, with harmless arguments: HASH,
# STREAM and so on stand for the names of keys. A few need what those before them have left.
COMMANDS = """
PING | INFO server | TIME
SMEMBERS ENVIRONMENTS | SADD SET x
HSET HASH a 1 | HSETNX HASH b 1 | HGET HASH a | HMGET HASH a b | HGETALL HASH | HKEYS HASH | HLEN HASH
HEXISTS HASH a | HINCRBY HASH a 1 | HDEL HASH b
EXPIRE HASH 60 | EXISTS HASH | COPY HASH OTHER REPLACE | RENAME OTHER THIRD | UNLINK THIRD | DEL OTHER
XADD STREAM 1-0 a 1 | XLEN STREAM | XRANGE STREAM - + | XREVRANGE STREAM + - | XDEL STREAM 1-0
ZADD SORTED 1 a | ZCARD SORTED | ZSCORE SORTED a | ZRANGE SORTED 0 -1 | ZREVRANGE SORTED 0 -1
ZRANGEBYSCORE SORTED -inf +inf | ZREVRANGEBYSCORE SORTED +inf -inf | ZREM SORTED b
ZREMRANGEBYSCORE SORTED 5 6 | ZPOPMIN SORTED
LPUSH LIST a | LINDEX LIST 0 | LRANGE LIST 0 -1 | LTRIM LIST 0 9 | RPOP LIST
BITFIELD BITS OVERFLOW SAT INCRBY i48 #0 1 | MGET BITS
PUBLISH FEED x
"""
SCRIPT = "return redis.call('HLEN', KEYS[1])"
KEYS = ("SET", "HASH", "OTHER", "THIRD", "STREAM", "SORTED", "LIST", "BITS")


async def rights(link: Link) -> Finding:
    """Try every command, and remove what that has left. Raises RedisError where Redis does not answer."""
    prefix = f"wigwag:{{_check}}:{secrets.token_hex(6)}:"
    key = f"{prefix}HASH"
    refused: dict[str, str] = {}
    for words in _commands(prefix):
        await _try(link, words[1] if len(words) > 1 else key, words, refused)
    await _try(link, key, ["EVAL", SCRIPT, "1", key], refused)
    sha = hashlib.sha1(SCRIPT.encode()).hexdigest()  # noqa: S324 - the name by which Redis knows it
    await _try(link, key, ["EVALSHA", sha, "1", key], refused)
    redis = link.at(key)
    try:
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(key)
            await pipeline.execute()
    except ResponseError as error:
        refused["MULTI, EXEC"] = _why(error)
    if "DEL" not in refused:
        await redis.delete(*(prefix + name for name in KEYS))
    if not refused:
        return ok("store rights", f"all {len(list(_commands(prefix))) + 3} commands that a server sends are allowed")
    named = "; ".join(f"{name} ({why})" for name, why in refused.items())
    mend = (
        "Allow the user of --store these commands, on the keys wigwag:* and the channels wigwag:* (ACL SETUSER). A "
        "command that is unknown needs a newer Redis, 6.2 at least."
    )
    return wrong("store rights", f"Redis refuses {named}", mend)


async def _try(link: Link, key: str, words: Sequence[str], refused: dict[str, str]) -> None:
    """Send a command to where the key is, if it has one; else anywhere."""
    redis = link.at(key if key.startswith("wigwag:") else ENVIRONMENTS)
    try:
        await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    except ResponseError as error:
        refused[words[0]] = _why(error)


def _commands(prefix: str) -> Iterator[list[str]]:
    names = {name: prefix + name for name in (*KEYS, "FEED")} | {"ENVIRONMENTS": ENVIRONMENTS}
    for command in COMMANDS.replace("\n", " | ").split(" | "):
        if words := command.split():
            yield [words[0], *(names.get(word, word) for word in words[1:])]


def _why(error: ResponseError) -> str:
    return "no permission" if isinstance(error, NoPermissionError) else str(error)
