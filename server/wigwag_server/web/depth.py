"""How deep a body may be nested: what walks it later may then use recursion."""

from typing import Any

DEEPEST = 64


def too_deep(plain: Any) -> bool:
    """Say whether lists and objects are nested deeper than any body needs. Costs each of them once."""
    level = [plain]
    for _ in range(DEEPEST):
        level = [each for outer in level for each in _members(outer) if isinstance(each, (list, dict))]
        if not level:
            return False
    return True


def _members(outer: Any) -> Any:
    if isinstance(outer, dict):
        return outer.values()
    return outer if isinstance(outer, list) else ()
