"""Every error that wigwag raises on purpose.

WigwagError
├── Malformed            text or data from outside that is not what the protocol says
│   ├── MalformedCursor
│   ├── MalformedEvent
│   ├── MalformedSnapshot
│   └── MalformedFile    a snapshot file that is damaged or of another version
└── StoreUnavailable     the store did not answer, or not in time
    └── StoreRefused     the store answered that it will not: nothing was done
"""


class WigwagError(Exception):
    """The root: `except WigwagError` catches whatever wigwag raises on purpose."""


class Malformed(WigwagError):
    """Text or data from outside that is not what the protocol says."""


class MalformedCursor(Malformed):
    """A cursor that is not `epoch:revision:head`."""


class MalformedEvent(Malformed):
    """A stream event of a known name whose data cannot be read."""


class MalformedSnapshot(Malformed):
    """A snapshot that is not an object with a cursor and tables of records."""


class MalformedFile(Malformed):
    """A snapshot file that is damaged, cut short, or of a version that this release cannot read."""


class StoreUnavailable(WigwagError):
    """The store did not answer, or not in time: what was asked for may or may not have happened."""


class StoreRefused(StoreUnavailable):
    """The store answered that it will not do this (full, read-only, no rights): nothing was done."""
