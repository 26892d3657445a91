"""A plain Redis hash of JSON configurations, one field a flag, as many in-house flag systems have it. Pure.

HGETALL feature_flags → {"new_ui": '{"enabled": true, "rolloutPercentage": 10, "whitelist": ["u1"], …}'}
"""

import json
from collections.abc import Mapping
from typing import Any

from wigwag.cli.importers.imported import HASHED, Imported
from wigwag_proto.validate import FLAG_FIELDS, check_flag_body, check_key

BOOKKEEPING = ("key", "name", "createdAt", "updatedAt", "revision")


def from_hash(found: Mapping[bytes, bytes]) -> Imported:
    """Return the flags in a hash. What cannot be read is left behind, flag by flag and field by field."""
    imported = Imported({"flags": {}})
    for raw_key, raw in sorted(found.items()):
        key = raw_key.decode(errors="replace")
        config = _read(imported, key, raw)
        if config is not None:
            imported.document["flags"][key] = config
    return imported


def _read(imported: Imported, key: str, raw: bytes) -> dict[str, Any] | None:
    """Return the configuration; None where the whole flag is left behind."""
    plain, wrong = _decoded(key, raw)
    if wrong:
        imported.leave(key, "the whole flag", wrong)
        return None
    config = {field: value for field, value in plain.items() if field in FLAG_FIELDS}
    for field in plain:
        if field == "killSwitch" and plain[field] is True:
            _off(imported, key, config)
        elif field not in (*FLAG_FIELDS, *BOOKKEEPING, "killSwitch"):
            imported.leave(key, field, "wigwag has no such field")
    percentage = config.get("rolloutPercentage", 100)
    if isinstance(percentage, (int, float)) and 0 < percentage < 100:
        imported.leave(key, "which users are in", HASHED)
    checked = check_flag_body(config, key=key)
    if checked.violations:
        imported.leave(
            key, "the whole flag", "; ".join(f"{each.pointer}: {each.message}" for each in checked.violations)
        )
        return None
    return config


def _decoded(key: str, raw: bytes) -> tuple[dict[str, Any], str]:
    """Return the object, or why there is none."""
    if (wrong := check_key(key)) is not None:
        return {}, wrong
    try:
        plain = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return {}, f"it is not JSON: {error}"
    return (plain, "") if isinstance(plain, dict) else ({}, "it is no object")


def _off(imported: Imported, key: str, config: dict[str, Any]) -> None:
    """A killed flag must not come back to life by being moved: it arrives switched off."""
    config["enabled"] = False
    why = f"an import does not kill, so the flag arrives with its switch off; to kill it as well: wigwag kill {key}"
    imported.leave(key, "killSwitch", why)
