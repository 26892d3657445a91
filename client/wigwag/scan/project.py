"""A scan of files and folders."""

import ast
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from wigwag.scan.constants import Constants
from wigwag.scan.python_source import references_in
from wigwag.scan.reference import Reference, Scan
from wigwag.scan.tokens import SUFFIXES, token_references

LARGEST_FILE = 2 * 1024 * 1024
PASSED_OVER = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "dist", "build"})


def scan(paths: Iterable[Path], keys: Collection[str] = (), own: Collection[str] = ()) -> Scan:
    """Scan Python by its syntax, and other languages for `keys`. `own` are functions of theirs that take a key first.

    Hidden folders, installed packages and what was built are passed over.
    """
    trees: list[tuple[str, str, ast.Module]] = []
    constants = Constants()
    references: list[Reference] = []
    unread: dict[str, str] = {}
    files = 0
    for root, path in _files(paths):
        name = path.as_posix()
        try:
            data = _read(path)
            files += 1
            if path.suffix == ".py":
                tree = ast.parse(data, filename=name)
                module = _module(root, path)
                constants.add(module, tree, package=path.stem == "__init__")
                trees.append((name, module, tree))
            else:
                references += token_references(name, data.decode(errors="replace"), keys)
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            unread[name] = str(error) or type(error).__name__
    for name, module, tree in trees:
        references += references_in(name, module, tree, constants, own)
    ordered = sorted(references, key=lambda each: (each.file, each.line, each.column))
    return Scan(tuple(ordered), unread, files)


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each file to read, with the folder that its module's name counts from."""
    for path in paths:
        if path.is_dir():
            for folder, names, files in os.walk(path):
                names[:] = sorted(each for each in names if not each.startswith(".") and each not in PASSED_OVER)
                for file in sorted(files):
                    if Path(file).suffix == ".py" or Path(file).suffix in SUFFIXES:
                        yield path, Path(folder, file)
        else:
            yield path.parent, path


def _read(path: Path) -> bytes:
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise ValueError(f"it has {size:,} bytes, and more than {LARGEST_FILE:,} are not read")
    return path.read_bytes()


def _module(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
