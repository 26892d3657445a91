"""The reference of the settings, from the types themselves."""

import inspect
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import wigwag.settings
import wigwag_server.settings
from docs.site.tables import code, table

INTRODUCTION = """# Settings, as types

Made from the types themselves. Options, variables and what they mean are in [Settings](../settings.md). Times are
seconds, sizes bytes.
"""
MODULES = (("`wigwag`, the client", wigwag.settings), ("`wigwag_server`", wigwag_server.settings))


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION.rstrip()]
    for title, module in MODULES:
        parts.append(f"## {title}")
        for kind in settings_of(module):
            rows = [(code(each.name), code(str(_type(each))), _default(each)) for each in fields(kind)]
            about = inspect.cleandoc(kind.__doc__ or "")
            parts += [f"### {kind.__module__}.{kind.__name__}", about, table(("field", "type", "default"), rows)]
    return "\n\n".join(parts) + "\n"


def settings_of(module: ModuleType) -> list[Any]:
    """Return `Settings` of a module, and after it the types of its parts, which may come from elsewhere."""
    found = [kind for kind in vars(module).values() if isinstance(kind, type) and is_dataclass(kind)]
    return sorted(found, key=lambda kind: kind.__name__ != "Settings")


def _type(field: Field[Any]) -> Any:
    kind = field.type
    return kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else kind


def _default(field: Field[Any]) -> str:
    """Return a default; a factory is told by its name, since what it makes may be a path of this machine."""
    if field.default is not MISSING:
        value = field.default
        return f"`{value!r}`" if not isinstance(value, Path) else f"`{value}`"
    factory: Any = field.default_factory
    return "" if factory is MISSING else f"`{factory.__name__}()`"
