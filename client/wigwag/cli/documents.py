"""Files of configuration, in YAML or JSON."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from wigwag.cli.exits import ExitCode, Stop
from wigwag.flag_file import parse_json
from wigwag.yaml_source import SCALARS, parse_yaml
from wigwag_proto.errors import Malformed

Plain = dict[str, Any]

LARGEST = 64 * 1024 * 1024
BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")


class Dumper(yaml.SafeDumper):
    """Writes what YAML 1.1 and 1.2 both read back as it was."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Write every value out: people edit these files."""
        return True

    def represent_text(self, text: str) -> yaml.Node:
        """Quote what PyYAML would take for line breaks when it reads them, and lose."""
        style = '"' if BREAKS & set(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


for _tag, _form, _first in SCALARS:
    Dumper.add_implicit_resolver(_tag, _form, _first)
Dumper.add_representer(str, Dumper.represent_text)


def read_document(path: Path) -> Plain:
    """Read a file that holds one object; `-` is standard input. Raises Stop."""
    name = name_of(path)
    text = read_text(path)
    is_json = path.suffix.lower() == ".json" or text.lstrip()[:1] == "{"
    try:
        document = parse_json(text) if is_json else parse_yaml(text)
    except Malformed as error:
        raise Stop(f"{name} is {error}", ExitCode.USAGE) from None
    if not isinstance(document, dict):
        raise Stop(f"{name} is to hold an object with flags and segments", ExitCode.USAGE)
    return document


def read_text(path: Path) -> str:
    """Read a text file, or standard input for `-`. Raises Stop."""
    try:
        text = sys.stdin.read(LARGEST + 1) if str(path) == "-" else _of_file(path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Stop(f"{name_of(path)} cannot be read: {why}", ExitCode.USAGE) from None
    if len(text) > LARGEST:
        raise Stop(f"{name_of(path)} is larger than {LARGEST // 1024 // 1024} MiB", ExitCode.USAGE)
    return text


def write_document(document: Plain, path: Path | None, *, as_json: bool, say: Callable[[str], None]) -> None:
    """Write a file; without a path, say it. A file is replaced at once or not at all. Raises Stop."""
    as_json = as_json or (path is not None and path.suffix.lower() == ".json")
    text = as_text(document, as_json=as_json)
    if path is None:
        return say(text.removesuffix("\n"))
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise Stop(f"{path} cannot be written: {error.strerror}") from None


def as_text(document: Plain, *, as_json: bool) -> str:
    """Return a document as text."""
    if as_json:
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)


def name_of(path: Path) -> str:
    """Return what to call a file in messages."""
    return "standard input" if str(path) == "-" else str(path)


def _of_file(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(LARGEST + 1)
