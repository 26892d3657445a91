"""Files of configuration, in YAML or JSON.

YAML is read as YAML 1.2 has it: only `true` and `false` are booleans, so that a list of countries may hold `NO`, and a
date is text. A key that stands twice is refused: one of the two would be lost without a word.
"""

import json
import re
import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml

from wigwag.cli.exits import ExitCode, Stop

Plain = dict[str, Any]

LARGEST = 64 * 1024 * 1024
BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")
MERGE = "tag:yaml.org,2002:merge"
# Text that is no text: tag, form, and the characters that it may begin with. What is not among them is a string.
SCALARS = (
    ("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
        list("-+.0123456789"),
    ),
    (MERGE, re.compile(r"<<$"), ["<"]),
)


class Loader(yaml.SafeLoader):
    """Reads YAML 1.2, with every key once."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML keeps them on the class

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """Refuse a key that is there twice."""
        seen = set()
        for key_node, _ in node.value:
            name = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if name in seen and key_node.tag != MERGE:
                raise yaml.MarkedYAMLError(problem=f"{name!r} stands twice", problem_mark=key_node.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Read a whole number as people do: 010 is ten, not eight."""
        return int(self.construct_scalar(node))


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
    Loader.add_implicit_resolver(_tag, _form, _first)
    Dumper.add_implicit_resolver(_tag, _form, _first)
Dumper.add_representer(str, Dumper.represent_text)
Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)


def read_document(path: Path) -> Plain:
    """Read a file that holds one object; `-` is standard input. Raises Stop."""
    name = name_of(path)
    text = read_text(path)
    is_json = path.suffix.lower() == ".json" or text.lstrip()[:1] == "{"
    try:
        document = json.loads(text, object_pairs_hook=_once) if is_json else yaml.load(text, Loader)  # noqa: S506 - a safe one
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Stop(f"{name} is not YAML that can be used{line}: {error.problem}", ExitCode.USAGE) from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        what = "JSON" if is_json else "YAML"
        raise Stop(f"{name} is not {what} that can be used: {error}", ExitCode.USAGE) from None
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


def _once(pairs: list[tuple[str, Any]]) -> Plain:
    found: Plain = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} stands twice")
        found[key] = value
    return found
