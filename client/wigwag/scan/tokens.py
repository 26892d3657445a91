"""Keys of flags that stand in files of other languages: found as whole words, without understanding the language."""

import re
from collections.abc import Collection, Iterator

from wigwag.scan.reference import Reference

KEY_CHARACTER = r"[A-Za-z0-9._-]"
LONGEST_LINE = 2000
SUFFIXES = frozenset(
    f".{name}"
    for group in (
        ("js", "jsx", "mjs", "cjs", "ts", "tsx", "vue", "svelte", "html", "jinja", "jinja2", "j2"),
        ("go", "java", "kt", "kts", "scala", "rb", "php", "cs", "fs", "swift", "m", "rs", "dart", "ex", "exs", "lua"),
        ("c", "cc", "cpp", "h", "hpp", "sh", "sql", "tf", "yaml", "yml", "toml", "json"),
    )
    for name in group
)


def token_references(file: str, text: str, keys: Collection[str]) -> Iterator[Reference]:
    """Yield every place where one of the keys stands as a word of its own."""
    if not keys:
        return
    alternatives = "|".join(re.escape(key) for key in sorted(keys, key=len, reverse=True))
    pattern = re.compile(rf"(?<!{KEY_CHARACTER})(?:{alternatives})(?!{KEY_CHARACTER})")
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) <= LONGEST_LINE:  # a longer one was made by a machine
            for match in pattern.finditer(line):
                yield Reference(file=file, line=number, column=match.start() + 1, flag=match.group(), call="token")
