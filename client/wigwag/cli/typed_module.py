"""The module that `wigwag codegen` writes. Pure: the same flags give the same text."""

import json
import keyword
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

Plain = Mapping[str, Any]

HEAD = '''"""{what}, as Python names. Written by `wigwag codegen`; changes here are lost."""

{imports}from wigwag.typed import {typed}

__all__ = ["Flags"]


class Flags(TypedFlags):
    """Every flag as an attribute: `Flags(client.bind(context)).{example}`."""
'''
LONGEST_DESCRIPTION = 90
KINDS: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (str, "str"),
    (list, "list[Any]"),
    (dict, "dict[str, Any]"),
)


def typed_module(flags: Iterable[Plain], what: str) -> str:
    """Return the source of a module with one accessor for each of these flags."""
    by_key = {flag["key"]: flag for flag in flags}
    names = identifiers(sorted(by_key))
    bodies = [_accessor(names[key], by_key[key]) for key in sorted(by_key)]
    text = "".join(bodies)
    typing = [name for name in ("Any", "Literal") if re.search(rf"\b{name}\b\[?", _code_of(bodies))]
    head = HEAD.format(
        what=what,
        imports=f"from typing import {', '.join(typing)}\n\n" if typing else "",
        typed=", ".join(
            [*(["Switch"] if "Switch(" in text else []), "TypedFlags", *(["Valued"] if "Valued(" in text else [])]
        ),
        example=names[min(by_key)] if by_key else "some_flag",
    )
    return head + text


def identifiers(keys: Iterable[str]) -> dict[str, str]:
    """Return the Python name of each key.

    Keys that would share a name all get a part that is theirs alone: were one of them to keep the plain name, code
    that means it would silently mean the other one when that is made, or this one deleted.
    """
    plain = {key: _identifier(key) for key in keys}
    taken = list(plain.values())
    return {
        key: f"{name}_{zlib.crc32(key.encode()):08x}" if taken.count(name) > 1 else name for key, name in plain.items()
    }


def _identifier(key: str) -> str:
    name = re.sub(r"\W", "_", key)
    if name[0].isdigit():
        name = f"flag_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def _accessor(name: str, flag: Plain) -> str:
    key = json.dumps(flag["key"])
    described = _described(flag.get("description"))
    variants = [v for arm in (flag, *flag.get("overrides", ())) for v in arm.get("variants", ())]
    if not variants:
        kind, made = "Switch", f"Switch(self._flags, {key})"
    else:
        labels = ", ".join(
            json.dumps(label, ensure_ascii=False) for label in dict.fromkeys(v["name"] for v in variants)
        )
        values = [v.get("value") for v in variants]
        kind = f"Valued[{_hint(values)}, Literal[{labels}]]"
        made = f"Valued(self._flags, {key}, {_kinds(values)})"
    return f"\n    @property\n    def {name}(self) -> {kind}:\n        {described}\n        return {made}\n"


def _described(description: Any) -> str:
    """Return a docstring. What people wrote becomes one plain string, whatever is in it."""
    line = " ".join(str(description or "").split())
    if len(line) > LONGEST_DESCRIPTION:
        line = line[: LONGEST_DESCRIPTION - 1] + "…"
    return json.dumps(line or "No description.", ensure_ascii=False)


def _found(values: Iterable[Any]) -> list[tuple[type, str]]:
    """Return the kinds among values, each once; with a float, an int is one too."""
    kinds = [pair for pair in KINDS if any(type(value) is pair[0] for value in values)]
    if (float, "float") in kinds:
        kinds = [pair for pair in kinds if pair[0] is not int]
    return kinds


def _hint(values: list[Any]) -> str:
    names = [name for _, name in _found(values)]
    return " | ".join([*names, *(["None"] if None in values or not names else [])])


def _kinds(values: list[Any]) -> str:
    names = [kind.__name__ for kind, _ in _found(values)] + (["type(None)"] if None in values else [])
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _code_of(bodies: Iterable[str]) -> str:
    """Return the lines that name types, without what people wrote."""
    return "\n".join(re.sub(r'"(?:[^"\\]|\\.)*"', '""', body.split("\n")[2]) for body in bodies)
