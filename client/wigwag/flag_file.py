"""A file of flags: JSON, or YAML where the extra `yaml` is installed."""

import json
from pathlib import Path
from typing import Any

from wigwag_proto.errors import Malformed, WigwagError

YAML = (".yaml", ".yml")


def read_flag_file(path: Path) -> Any:
    """Return what is in the file, as plain objects. Raises WigwagError, which names the file."""
    parse = _parse_yaml if path.suffix.lower() in YAML else parse_json
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, Malformed) as error:
        raise Malformed(f"cannot read the flags in {path}: {error}") from error


def parse_json(text: str) -> Any:
    """Return what a text says, as plain objects. Raises Malformed, also for a key that stands twice."""
    try:
        return json.loads(text, object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON that can be used: {error}") from None


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what Python would take: of two flags of one name, the second."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} stands twice")
        found[key] = value
    return found


def _parse_yaml(text: str) -> Any:
    try:
        from wigwag.yaml_source import parse_yaml  # noqa: PLC0415  # only the extra brings what it needs
    except ModuleNotFoundError as error:
        raise WigwagError('a YAML file needs PyYAML: pip install "wigwag[yaml]", or write the flags as JSON') from error
    return parse_yaml(text)
