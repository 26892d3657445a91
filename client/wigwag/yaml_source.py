"""YAML as people mean it.

It is read as YAML 1.2 has it: only `true` and `false` are booleans, so that a list of countries may hold `NO`, and a
date is text. A key that stands twice is refused: one of the two would be lost without a word.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from wigwag_proto.errors import Malformed

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


for _tag, _form, _first in SCALARS:
    Loader.add_implicit_resolver(_tag, _form, _first)
Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)


def parse_yaml(text: str) -> Any:
    """Return what a text says, as plain objects. Raises Malformed."""
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a safe one
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Malformed(f"not YAML that can be used{line}: {error.problem}") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise Malformed(f"not YAML that can be used: {error}") from None
