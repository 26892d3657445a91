"""The order of the pages. A page that does not exist (yet) is left out, and one that is named nowhere comes last."""

from collections.abc import Collection

Section = tuple[str, tuple[str, ...]]

# Pages beginning with `reference/` are generated, all others are files of docs/.
SECTIONS: tuple[Section, ...] = (
    ("Start", ("index", "quickstart", "concepts", "when-not-to-use", "comparison", "changelog")),
    (
        "Guides",
        (
            *("targeting", "kill-switches", "rollouts", "testing", "integrations", "openfeature", "front-ends"),
            *("local", "typed-flags", "lifecycle", "ui", "cli", "migration"),
        ),
    ),
    (
        "Operations",
        (
            *("deploy", "redis", "relays", "capacity", "monitoring", "alerts", "backup", "upgrade", "compatibility"),
            "runbook",
        ),
    ),
    ("Promises", ("guarantees", "security", "performance")),
    (
        "Reference",
        (
            *("model", "settings", "http-api", "protocol", "vectors"),
            *("reference/python", "reference/settings", "reference/cli", "architecture"),
        ),
    ),
)
OTHERS = "More"


def sections(pages: Collection[str]) -> list[Section]:
    """Return the sections with the pages that there are; what no section names stands in one of its own."""
    named = {page for _, group in SECTIONS for page in group}
    others = tuple(sorted(set(pages) - named))
    all_sections = [*SECTIONS, (OTHERS, others)]
    there = [(title, tuple(page for page in group if page in pages)) for title, group in all_sections]
    return [(title, group) for title, group in there if group]
