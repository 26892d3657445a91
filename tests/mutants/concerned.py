"""Which tests are run for which module: those that say what it must do, and are quick."""

_VECTORS = "tests/proto/test_vectors.py"
_LOG_VECTORS = "tests/proto/test_log_vectors.py"


def _own(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/proto/test_{name}.py" for name in names)


CONCERNED: dict[str, tuple[str, ...]] = {
    "bucketing": (_VECTORS, *_own("bucketing")),
    "operators": (_VECTORS, *_own("operators")),
    "versions": (_VECTORS, *_own("operators", "validate")),
    "instants": (_VECTORS, *_own("operators", "validate")),
    "evaluate": (_VECTORS, *_own("operators", "explain", "ruleset", "compile"), "tests/client/test_circuits.py"),
    "source": (_VECTORS, *_own("operators", "compile", "ruleset", "bucketing")),
    "compile": (_VECTORS, *_own("compile", "ruleset")),
    "states": (*_own("ruleset"), "tests/client/test_flags.py"),
    "commit": (*_own("commit"), _LOG_VECTORS, *_own("replica", "disk_io")),
    "snapshot": (_LOG_VECTORS, *_own("replica", "disk_io", "supervisor")),
    "snapshot_file": _own("snapshot_file", "disk_io"),
    "replica": (_LOG_VECTORS, *_own("replica", "follower")),
    "follower": _own("follower"),
    "supervisor": _own("supervisor"),
    "sse": (_LOG_VECTORS, *_own("sse")),
    "circuit": ("tests/client/test_circuits.py", *_own("compile")),
    "differences": _own("differences"),
    "rule_checks": _own("validate", "operators"),
}
