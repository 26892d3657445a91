"""JSON Merge Patch: what is in the patch replaces, null removes, objects are merged. Pure. Source: RFC 7396."""

from collections.abc import Mapping
from typing import Any

CONTENT_TYPE = "application/merge-patch+json"


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the target with the patch in it. Neither is altered."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
