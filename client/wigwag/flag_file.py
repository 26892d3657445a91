"""A file of flags: JSON, or YAML where the extra `yaml` is installed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wigwag_proto.errors import Malformed, WigwagError

YAML = (".yaml", ".yml")


def read_flag_file(path: Path) -> Any:
    """Return what is in the file, as plain objects. Raises WigwagError, which names the file."""
    read = _read_yaml if path.suffix.lower() in YAML else _read_json
    try:
        return read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, Malformed) as error:
        raise Malformed(f"cannot read the flags in {path}: {error}") from error


def _read_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_no_key_twice)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what Python would take: of two flags of one name, the second."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Malformed(f"{key!r} stands there twice")
        found[key] = value
    return found


def _read_yaml(text: str) -> Any:
    try:
        import yaml  # noqa: PLC0415  # only the extra brings it
    except ModuleNotFoundError as error:
        raise WigwagError('a YAML file needs PyYAML: pip install "wigwag[yaml]", or write the flags as JSON') from error

    class Loader(yaml.SafeLoader):
        """Reads plain objects alone, and no key twice."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # PyYAML's signature
            self.flatten_mapping(node)
            seen: set[Any] = set()
            construct: Callable[..., Any] = self.construct_object
            for key_node, _ in node.value:
                key = construct(key_node, deep=True)
                if isinstance(key, str) and key in seen:
                    raise Malformed(f"{key!r} stands there twice, again in line {key_node.start_mark.line + 1}")
                seen.add(key if isinstance(key, str) else None)
            made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
            return made

    try:
        return yaml.load(text, Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        raise Malformed(f"it is not YAML: {error}") from error
