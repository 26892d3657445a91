"""Feature flags and kill switches for async Python: pushed in milliseconds, decided locally.

async with FlagClient("https://flags.example.com", "ww_server_…") as flags:
    flags.is_enabled("new_checkout", user_id="u1", plan="premium")
"""

from wigwag.client import FlagClient, RefreshFailed
from wigwag.flag_document import MalformedFlags
from wigwag.settings import Settings
from wigwag.status import Source, Status
from wigwag.watched import WatchedFlags
from wigwag_proto.circuit import Circuit
from wigwag_proto.context import Context
from wigwag_proto.decision import Decision, Reason, Variant
from wigwag_proto.errors import WigwagError
from wigwag_proto.flag import Flag
from wigwag_proto.ruleset import FlagChange

__all__ = [
    "Circuit",
    "Context",
    "Decision",
    "Flag",
    "FlagChange",
    "FlagClient",
    "MalformedFlags",
    "Reason",
    "RefreshFailed",
    "Settings",
    "Source",
    "Status",
    "Variant",
    "WatchedFlags",
    "WigwagError",
]
