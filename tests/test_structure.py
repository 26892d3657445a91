"""The structure that everything lives in: dependencies point one way, and the public surface is what it says."""

import ast
from collections.abc import Iterator
from pathlib import Path

import wigwag

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "wigwag_proto": ROOT / "proto" / "wigwag_proto",
    "wigwag": ROOT / "client" / "wigwag",
    "wigwag_pytest": ROOT / "client" / "wigwag_pytest",
    "wigwag_server": ROOT / "server" / "wigwag_server",
}
ALLOWED = {
    "wigwag_proto": {"wigwag_proto"},
    "wigwag": {"wigwag", "wigwag_proto"},
    "wigwag_pytest": {"wigwag"},
    "wigwag_server": {"wigwag_server", "wigwag_proto"},
}
# Modules of proto that do I/O say so in their names; nothing else in it may import what does.
IO_MODULES = {"asyncio", "aiohttp", "socket", "ssl", "time", "logging", "threading", "subprocess", "tempfile", "random"}
PURE_USES = {"random": {"Random"}}


def imports(path: Path) -> Iterator[tuple[int, str, set[str]]]:
    """Yield line, module and names of every import, also those in functions and under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, set()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            yield node.lineno, node.module or "", {alias.name for alias in node.names}


def test_dependencies_point_one_way() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {package} must not import {module}"
        for package, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
        for line, module, _ in imports(path)
        if module.split(".")[0] in PACKAGES and module.split(".")[0] not in ALLOWED[package]
    ]
    assert not offenders, "\n".join(offenders)


def test_nothing_imports_its_own_package_root() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: import the submodule that defines it"
        for package, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
        for line, module, _ in imports(path)
        if module == package
    ]
    assert not offenders, "\n".join(offenders)


def test_the_pure_part_of_proto_does_no_io() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {module} belongs into a module whose name ends in _io"
        for path in sorted(PACKAGES["wigwag_proto"].glob("*.py"))
        if not path.stem.endswith("_io")
        for line, module, names in imports(path)
        if (module.split(".")[0] in IO_MODULES and not (names and names <= PURE_USES.get(module, set())))
        or (module.startswith("wigwag_proto.") and module.endswith("_io"))
    ]
    assert not offenders, "\n".join(offenders)


def test_what_an_extra_brings_is_imported_where_it_is_needed_alone() -> None:
    """A plain `pip install wigwag` has none of these, and must be able to import everything else."""
    homes = {
        "starlette": {"integrations/starlette.py", "integrations/fastapi.py"},
        "fastapi": {"integrations/fastapi.py"},
        "openfeature": {"integrations/openfeature.py"},
        "yaml": {"yaml_source.py", "cli/documents.py"},
        "pytest": set(),
        "mcp": {"cli/mcp_server.py"},
        "django": set(),
    }
    client = PACKAGES["wigwag"]
    found: dict[str, set[str]] = {name: set() for name in homes}
    for path in client.rglob("*.py"):
        for _, module, _ in imports(path):
            if (name := module.split(".")[0]) in homes:
                found[name].add(str(path.relative_to(client)))
    assert found == homes


def test_the_public_surface_is_pinned() -> None:
    assert wigwag.__all__ == [
        "Circuit",
        "Context",
        "Decision",
        "Flag",
        "FlagChange",
        "FlagClient",
        "MalformedFlags",
        "Reason",
        "RefreshFailed",
        "Settings",
        "Source",
        "Status",
        "Variant",
        "WatchedFlags",
        "WigwagError",
    ]
    public = {name for name in dir(wigwag.FlagClient) if not name.startswith("_")}
    assert public == {
        "all",
        "bind",
        "changes",
        "close",
        "explain",
        "from_dict",
        "from_file",
        "guard",
        "is_enabled",
        "on_change",
        "on_status",
        "refresh",
        "start",
        "start_in_thread",
        "status",
        "track",
        "value",
        "variant",
        "watch",
    }


def test_nothing_is_left_unfinished() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error")
    offenders = [
        f"{path.relative_to(ROOT)}: {mark}"
        for folder in (*PACKAGES.values(), ROOT / "bench", ROOT / "examples")
        for path in folder.rglob("*.py")
        for mark in marks
        if mark in path.read_text()
    ]
    assert not offenders, "\n".join(offenders)
