"""Over how long clients spread their confirmations of a kill."""

# Up to so many streams confirm at once: they are through in the time that a person needs to look up.
AT_ONCE = 400
# So many a second leave a server most of its time, for kills above all.
A_SECOND = 2000


def confirm_spread_ms(streams: int) -> int:
    """Return what `hello` announces on a server with so many streams."""
    return 0 if streams <= AT_ONCE else streams * 1000 // A_SECOND
