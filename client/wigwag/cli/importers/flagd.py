"""Files of flagd: states, variants, and of the targeting what rules, overrides and percentages can say. Pure.

A flag whose targeting cannot be carried over arrives with its switch off: on for the wrong people would be worse.

Source: flagd's flag definitions, schema v0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from wigwag.cli.importers.imported import HASHED, Imported
from wigwag.cli.importers.jsonlogic import NEGATIVE, Untranslatable, alternatives, attribute, operation
from wigwag_proto.validate import check_flag_body, check_key

Plain = dict[str, Any]

KNOWN = ("state", "variants", "defaultVariant", "targeting", "metadata")
OFF = "so the flag arrives with its switch off"


def from_flagd(document: Mapping[str, Any]) -> Imported:
    """Return the flags of a file, and what could not be carried over."""
    imported = Imported({"flags": {}})
    flags = document.get("flags")
    if not isinstance(flags, Mapping):
        imported.leave("the file", "everything", "it has no 'flags'")
        return imported
    for name in document:
        if name not in ("flags", "$schema", "$evaluators"):
            imported.leave("the file", str(name), "wigwag keeps nothing beside flags and segments")
    evaluators = document.get("$evaluators")
    shared = evaluators if isinstance(evaluators, Mapping) else {}
    for key, flag in flags.items():
        if (wrong := check_key(key)) is not None:
            imported.leave(str(key), "the whole flag", wrong)
        elif not isinstance(flag, Mapping) or not isinstance(flag.get("variants"), Mapping):
            imported.leave(key, "the whole flag", "it is no flag with variants")
        else:
            _take(imported, key, Flagd(imported, key, flag, shared).configuration())
    return imported


def _take(imported: Imported, key: str, config: Plain) -> None:
    checked = check_flag_body(config, key=key)
    if checked.violations:
        why = "; ".join(f"{each.pointer}: {each.message}" for each in checked.violations)
        return imported.leave(key, "the whole flag", why)
    imported.document["flags"][key] = config
    return None


class Flagd:
    """One flag of flagd on its way."""

    def __init__(self, imported: Imported, key: str, flag: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        self._imported = imported
        self._key = key
        self._flag = flag
        self._shared = shared
        self._variants: Mapping[str, Any] = flag["variants"]
        # A flag whose variants are true and false is a switch here, and needs no variants.
        self._is_switch = all(isinstance(value, bool) for value in self._variants.values())
        self._bucket_by: set[str] = set()

    def configuration(self) -> Plain:
        """Return what it is in wigwag."""
        config: Plain = {"enabled": self._flag.get("state") == "ENABLED", **self._metadata()}
        targeting = self._flag.get("targeting") or None
        try:
            config |= self._targeted(targeting) if targeting else self._arm(self._flag.get("defaultVariant"))
            config |= self._bucketed()
        except Untranslatable as reason:
            self._leave("targeting", f"{reason}; {OFF}")
            return {**config, "enabled": False}
        for name in self._flag:
            if name not in KNOWN:
                self._leave(str(name), "wigwag has no such field")
        return config

    def _bucketed(self) -> Plain:
        if len(self._bucket_by) > 1:
            raise Untranslatable(f"it distributes by {' and by '.join(sorted(self._bucket_by))}")
        (by,) = self._bucket_by or {"userId"}
        return {} if by == "userId" else {"bucketBy": by}

    def _targeted(self, targeting: Any) -> Plain:
        """Return rules, overrides and percentage: an `if` is a row of overrides, and what is left is the flag's own."""
        operator, operands = operation(self._resolved(targeting))
        if operator != "if":
            return self._arm(targeting)
        overrides = []
        pairs, last = _branches(operands)
        for number, (condition, result) in enumerate(pairs, 1):
            arm = self._arm(result)
            for part, rules in enumerate(alternatives(self._resolved(condition)), 1):
                self._note_negatives(rules)
                overrides.append({"name": f"flagd-{number}.{part}", "rules": rules, **arm})
        base = self._arm(self._flag.get("defaultVariant") if last is None else last)
        if len(overrides) == 1 and self._is_switch and base.get("rolloutPercentage") == 0:
            # On for those whom the rules match, and off for everybody else: that is what a flag's own rules say.
            return {name: value for name, value in overrides[0].items() if name != "name"}
        return {"overrides": overrides, **base}

    def _arm(self, result: Any) -> Plain:
        """Return what a result of the targeting gives: a variant, or a distribution over some."""
        if isinstance(result, Mapping):
            operator, operands = operation(self._resolved(result))
            if operator == "fractional":
                return self._distributed(operands)
            raise Untranslatable(f"its result is an operation {operator!r}")
        if result is None:
            return {"rolloutPercentage": 0}  # flagd has the code's default count, as wigwag has for a flag that is off
        name = str(result).lower() if isinstance(result, bool) else result
        if not isinstance(name, str) or name not in self._variants:
            raise Untranslatable(f"there is no variant {name!r}")
        if self._is_switch:
            return {"rolloutPercentage": 100 if self._variants[name] else 0}
        return {"rolloutPercentage": 100, "variants": [self._variant(name, 1)]}

    def _distributed(self, operands: Sequence[Any]) -> Plain:
        by, shares = "userId", list(operands)
        if shares and not isinstance(shares[0], list):
            by = self._hashed(shares.pop(0))
        weights: dict[str, float] = {}
        for share in shares:
            if not isinstance(share, list) or not share or share[0] not in self._variants:
                raise Untranslatable("it distributes over something else than its variants")
            weight = share[1] if len(share) > 1 else 1
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or weight < 0:
                raise Untranslatable(f"the weight {weight!r} is computed")
            weights[share[0]] = weights.get(share[0], 0) + weight
        total = sum(weights.values())
        if not total:
            raise Untranslatable("its weights are all 0")
        self._bucket_by.add(by)
        self._leave("which users are in", HASHED)
        if self._is_switch:
            on = sum(weight for name, weight in weights.items() if self._variants[name])
            return {"rolloutPercentage": round(100 * on / total, 3)}
        return {"rolloutPercentage": 100, "variants": [self._variant(name, weight) for name, weight in weights.items()]}

    def _hashed(self, logic: Any) -> str:
        """Return the attribute that is hashed: flagd puts the flag's key before it, and so does wigwag."""
        operator, operands = operation(logic)
        if operator == "cat":
            operands = [each for each in operands if each != {"var": "$flagd.flagKey"}]
            if len(operands) == 1:
                return attribute(operands[0])
            raise Untranslatable("it distributes by several attributes")
        return attribute(logic)

    def _variant(self, name: str, weight: float) -> Plain:
        return {"name": name, "weight": weight, "value": self._variants[name]}

    def _resolved(self, logic: Any) -> Any:
        """Follow a `$ref` to a shared condition."""
        if isinstance(logic, Mapping) and list(logic) == ["$ref"]:
            if logic["$ref"] not in self._shared:
                raise Untranslatable(f"there is no shared condition {logic['$ref']!r}")
            return self._shared[logic["$ref"]]
        return logic

    def _metadata(self) -> Plain:
        metadata = self._flag.get("metadata")
        found: Plain = {}
        for name, value in metadata.items() if isinstance(metadata, Mapping) else ():
            if name in ("description", "owner") and isinstance(value, str):
                found[name] = value
            else:
                self._leave(f"metadata {name!r}", "wigwag has no such field")
        return found

    def _note_negatives(self, rules: Sequence[Plain]) -> None:
        for rule in rules:
            if rule["operator"] in NEGATIVE:
                why = (
                    f"flagd let in contexts without {rule['attribute']!r}; a rule on a missing attribute never matches"
                )
                self._leave("contexts without an attribute", why)

    def _leave(self, what: str, why: str) -> None:
        self._imported.leave(self._key, what, why)


def _branches(operands: Sequence[Any]) -> tuple[list[tuple[Any, Any]], Any]:
    """Split `if, then, else if, then, …, else`; None for no else."""
    pairs = [(operands[i], operands[i + 1]) for i in range(0, len(operands) - 1, 2)]
    return pairs, operands[-1] if len(operands) % 2 else None
