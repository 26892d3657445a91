"""Which expressions are flag clients, and which calls ask for a flag. What is said here decides what a scan finds."""

import ast

from wigwag.scan.constants import dotted

# Asking on anything: nothing else of these names takes a text first.
ASKING = frozenset(
    {
        "is_enabled",
        *(
            f"{verb}_{kind}_{what}{way}"
            for verb in ("get",)
            for kind in ("boolean", "string", "integer", "float", "object")
            for what in ("value", "details")
            for way in ("", "_async")
        ),
    }
)
# Asking on a client only: the names are too common.
ASKING_CLIENTS = frozenset({"variant", "value", "explain", "track", "guard"})
# Functions that are given the key, wherever they were imported to.
GATES = frozenset({"requires_flag", "parametrize_flag", "parametrize_flags"})
# Calls whose keywords, or whose dict, are keys.
NAMING = frozenset({"overridden", "flags"})
CLIENT_CLASSES = frozenset({"FlagClient", "FakeFlags", "BoundFlags", "Flags"})
CLIENT_NAMES = frozenset({"flags", "flag_client", "feature_flags"})


def is_client(node: ast.expr | None, known: frozenset[str]) -> bool:
    """Say whether an expression is a flag client, or one bound to a context; `known` are names that are."""
    match node:
        case ast.Await(value=inner):
            return is_client(inner, known)
        case ast.Name(id=name):
            return name in known or name in CLIENT_NAMES
        case ast.Attribute(attr=name):
            return name in CLIENT_NAMES or dotted(node) in known
        case ast.Subscript(slice=ast.Constant(value=key)):
            return isinstance(key, str) and key in CLIENT_NAMES
        case ast.Call(func=ast.Attribute(value=inner, attr="bind")):
            return is_client(inner, known)
        case ast.Call(func=function):
            words = (dotted(function) or "").split(".")
            return any(word in CLIENT_CLASSES for word in words[-2:])
    return False


def is_client_annotation(node: ast.expr | None) -> bool:
    """Say whether an annotation names a client, also as a text, in a union, or in Annotated."""
    if node is None:
        return False
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return any(word in CLIENT_CLASSES for word in node.value.replace("|", " ").replace(".", " ").split())
    names = (each.id if isinstance(each, ast.Name) else getattr(each, "attr", "") for each in ast.walk(node))
    return any(name in CLIENT_CLASSES for name in names)


def asks(function: ast.expr, known: frozenset[str]) -> str | None:
    """Return how a function asks for a flag, or None where it does not."""
    match function:
        case ast.Attribute(value=receiver, attr=name):
            if name in ASKING or (name in ASKING_CLIENTS and is_client(receiver, known)):
                return name
            return name if name in GATES else None
        case ast.Name(id=name):
            return name if name in GATES else None
    return None


def names_flags(function: ast.expr, known: frozenset[str]) -> str | None:
    """Return how a call names flags by its keywords (`flags.overridden(checkout=True)`), or None."""
    if not isinstance(function, ast.Attribute) or function.attr not in NAMING:
        return None
    if function.attr == "overridden":
        return "overridden" if is_client(function.value, known) else None
    return "mark.flags" if (dotted(function) or "").endswith("mark.flags") else None
