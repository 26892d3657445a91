"""murmur3 x86_32 written from its description, independent of the library that the product uses."""

MASK = 0xFFFFFFFF


def murmur3_32(data: bytes, seed: int) -> int:
    """Return the unsigned 32-bit hash."""
    h = seed
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        h ^= _scrambled(int.from_bytes(data[at : at + 4], "little"))
        h = (_rotated(h, 13) * 5 + 0xE6546B64) & MASK
    if whole < len(data):
        h ^= _scrambled(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    h ^= h >> 16
    h = h * 0x85EBCA6B & MASK
    h ^= h >> 13
    h = h * 0xC2B2AE35 & MASK
    return h ^ h >> 16


def bucket_of(flag: str, text: str, seed: int) -> int:
    """Return the bucket, 0–99,999, as the protocol defines it."""
    return murmur3_32(f"{flag}:{text}".encode("utf-8", "surrogatepass"), seed) * 100_000 >> 32


def _scrambled(k: int) -> int:
    return _rotated(k * 0xCC9E2D51 & MASK, 15) * 0x1B873593 & MASK


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & MASK
