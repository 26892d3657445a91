"""What a fuzzer would take long to spell: the names of fields, operators, events."""

from wigwag_proto.events import READERS
from wigwag_proto.rule_checks import ALL_OPERATORS
from wigwag_proto.snapshot_file import MAGIC
from wigwag_proto.validate import FLAG_FIELDS, SEGMENT_FIELDS, SERVER_FIELDS

FIELDS = {
    *FLAG_FIELDS,
    *SEGMENT_FIELDS,
    *SERVER_FIELDS,
    *("attribute", "operator", "value", "name", "weight", "flag", "variant", "flags", "segments", "context"),
    *("environment", "cursor", "at", "emergencies", "targetingKey", "userId", "comment", "killSwitch"),
    *("keys", "tags", "pattern", "reason", "until", "configuration", "replace", "stages", "percentage", "interval"),
    *("instance", "usage", "outcomes", "applied", "batch", "revision", "prev", "head", "changes", "kind", "key"),
    *("outcome", "cause", "heartbeatMs", "provenMs", "degraded", "retryMs", "role", "scope", "zone", "patch"),
}
WORDS = (
    *(f'"{field}":' for field in sorted(FIELDS)),
    *(f'"{each}"' for each in ALL_OPERATORS),
    *(f"event: {name}\\x0a" for name in READERS),
    *("data: ", "id: 1.aa:1:bb\\x0a", "retry: 1\\x0a", "\\x0d\\x0a", "\\xef\\xbb\\xbf", "1.aa:1:bb", "\\x0a\\x0a"),
    *("true", "false", "null", "[", "]", "{", "}", "1e999", "-0.0", "9223372036854775808", "\\x5cud800", "1.2.3"),
    *("2026-01-31T09:00:00Z", "Europe/Berlin", "premium", '"f"', '"g"', '"checkout"', "10m", MAGIC.decode()),
)
