"""The reference of the settings, from the types themselves."""

import inspect
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import wigwag.settings
import wigwag_proto.supervisor
import wigwag_server.settings
from docs.site.tables import code, table

INTRODUCTION = """# Settings, as types

Made from the types themselves. Options, variables and what they mean are in [settings.md](../settings.md). Times are
seconds, sizes bytes.
"""
TYPES: tuple[tuple[str, tuple[type[Any], ...]], ...] = (
    ("`wigwag`, the client", (wigwag.settings.Settings, wigwag_proto.supervisor.Patience)),
    (
        "`wigwag_server`",
        (
            wigwag_server.settings.Settings,
            wigwag_server.settings.Listen,
            wigwag_server.settings.Limits,
            wigwag_server.settings.SessionTimes,
        ),
    ),
)


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION.rstrip()]
    for title, kinds in TYPES:
        parts.append(f"## {title}")
        for kind in kinds:
            rows = [(code(each.name), code(str(_type(each))), _default(each)) for each in fields(kind)]
            about = inspect.cleandoc(kind.__doc__ or "")
            parts += [f"### {kind.__module__}.{kind.__name__}", about, table(("field", "type", "default"), rows)]
    return "\n\n".join(parts) + "\n"


def _type(field: Field[Any]) -> Any:
    kind = field.type
    return kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else kind


def _default(field: Field[Any]) -> str:
    """Return a default; a factory is told by its name, since what it makes may be a path of this machine."""
    if field.default is not MISSING:
        value = field.default
        return f"`{value!r}`" if not isinstance(value, Path) else f"`{value}`"
    factory: Any = field.default_factory
    assert factory is not MISSING, f"{field.name} has no default"
    return f"`{factory.__name__}()`"
