"""Types of command-line options that several benchmarks take."""

import argparse


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isdecimal() or (number := int(text)) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def counts(text: str) -> tuple[int, ...]:
    """Read whole numbers above 0, with commas between them."""
    return tuple(positive(part) for part in text.split(","))
