"""Texts that names stand for: constants of modules and classes, enum members, and what other modules import of them."""

import ast
from collections.abc import Iterable, Mapping


class Constants:
    """The constants of all modules of a scan, by module and dotted name (`app.keys`, `Flags.CHECKOUT`)."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, str]] = {}
        self._imports: dict[str, dict[str, str]] = {}

    def add(self, module: str, tree: ast.Module, *, package: bool = False) -> None:
        """Read one module."""
        texts: dict[str, str] = {}
        imports: dict[str, str] = {}
        _read_body(tree.body, "", texts, imports, module if package else module.rpartition(".")[0])
        self._texts[module], self._imports[module] = texts, imports

    def find(self, module: str, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> str | None:
        """Return the text that a dotted name stands for in a module, also through its imports, or None."""
        if (module, name) in seen:
            return None
        plain = name.removesuffix(".value")
        if (text := self._texts.get(module, {}).get(plain)) is not None:
            return text
        head, _, rest = name.partition(".")
        imported = self._imports.get(module, {}).get(head)
        if imported is None:
            return None
        return self._find_imported(imported, rest, seen | {(module, name)})

    def imported(self, module: str, name: str) -> str:
        """Return what a name was imported as, dotted, or the name itself."""
        head, dot, rest = name.partition(".")
        return self._imports.get(module, {}).get(head, head) + dot + rest

    def _find_imported(self, imported: str, rest: str, seen: frozenset[tuple[str, str]]) -> str | None:
        """Try each split of a dotted name into a module of the scan and a name in it, the longest module first."""
        parts = f"{imported}.{rest}".rstrip(".").split(".")
        for end in range(len(parts) - 1, 0, -1):
            for module in self._modules_named(".".join(parts[:end])):
                found = self.find(module, ".".join(parts[end:]), seen)
                if found is not None:
                    return found
        return None

    def _modules_named(self, name: str) -> list[str]:
        """Return the modules of that name; a scan may have begun above or below the folder that imports count from."""
        return [known for known in self._texts if known == name or known.endswith(f".{name}")]


def _read_body(
    body: Iterable[ast.stmt], prefix: str, texts: dict[str, str], imports: dict[str, str], package: str
) -> None:
    for statement in body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                if (text := _text(value)) is not None:
                    texts[prefix + name] = text
                elif isinstance(value, ast.Dict):
                    _read_dict(value, prefix + name, texts)
            case ast.ClassDef(name=name, body=inner):
                _read_body(inner, f"{prefix}{name}.", texts, imports, package)
            case ast.Import(names=names):
                for alias in names:
                    imports[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _base(package, module or "", level)
                imports.update({alias.asname or alias.name: f"{base}.{alias.name}".lstrip(".") for alias in names})
            case ast.If(body=inner, orelse=other) | ast.Try(body=inner, orelse=other):
                _read_body([*inner, *other], prefix, texts, imports, package)


def _read_dict(node: ast.Dict, name: str, texts: dict[str, str]) -> None:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and (text := _text(value)) is not None:
            texts[f"{name}.[{key.value}]"] = text


def _base(package: str, module: str, level: int) -> str:
    if level == 0:
        return module
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (level - 1)] if level > 1 else parts
    return ".".join([*kept, module] if module else kept)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def dotted(node: ast.expr) -> str | None:
    """Return a name or a chain of attributes as text, or None for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return None if head is None else f"{head}.{node.attr}"
    return None


def keys_of(node: ast.expr, texts: Mapping[str, str]) -> list[str]:
    """Return the text keys of a dict that is written out."""
    if not isinstance(node, ast.Dict):
        return []
    found = [key.value if isinstance(key, ast.Constant) else texts.get(dotted(key) or "") for key in node.keys if key]
    return [key for key in found if isinstance(key, str)]
