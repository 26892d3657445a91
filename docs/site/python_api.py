"""The reference of what Python programs import: a page of directives, which mkdocstrings fills from docstrings."""

import wigwag

INTRODUCTION = """# Python API

Made from the docstrings. How the parts are used is in [model.md](../model.md#asking),
[integrations.md](../integrations.md), [testing.md](../testing.md) and [openfeature.md](../openfeature.md).

## wigwag { #wigwag }
"""
# Beside `wigwag` itself, which says by `__all__` what is in it.
MODULES = (
    "wigwag.integrations.asgi",
    "wigwag.integrations.aiohttp",
    "wigwag.integrations.starlette",
    "wigwag.integrations.fastapi",
    "wigwag.integrations.openfeature",
    "wigwag.integrations.opentelemetry",
    "wigwag.testing",
    "wigwag_pytest",
)


def page() -> str:
    """Return the page."""
    names = [f"::: wigwag.{name}" for name in sorted(wigwag.__all__)]
    modules = [f"## {name}\n\n::: {name}" for name in MODULES]
    return "\n\n".join([INTRODUCTION.rstrip(), *names, *modules]) + "\n"
