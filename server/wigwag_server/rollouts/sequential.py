"""Tests that may be looked at as often as one likes, while the data come in. Pure.

The method is the mixture sequential probability ratio test of Robbins ("Statistical methods related to the law of the
iterated logarithm", 1970) for Bernoulli data, with a beta distribution as the mixture, against the best explanation
that the null hypothesis has for the data (Wasserman, Ramdas and Balakrishnan, "Universal inference", 2020). For every
error rate in the null hypothesis, mixture over likelihood is a martingale that begins at 1. By Ville's inequality
(1939) it ever reaches 1/alpha with a probability of at most alpha, however often, and whenever, it is looked at.
Nothing is approximated: this holds for three runs as for three millions, and for two groups of any sizes.
"""

from collections.abc import Callable
from math import inf, lgamma, log

# The mixture: any would be valid. This one has its weight on small rates, as those of errors are.
A, B = 0.5, 5.0
EDGE = 1e-12
STEPS = 40  # the range shrinks by a third with each


def log_mixture(hits: int, runs: int) -> float:
    """Return the log of the likelihood of so many hits, averaged over all rates."""
    return _log_beta(A + hits, B + runs - hits) - _log_beta(A, B)


def log_likelihood(rate: float, hits: int, runs: int) -> float:
    """Return the log of the likelihood of so many hits at a rate."""
    if (hits and rate <= 0) or (runs > hits and rate >= 1):
        return -inf
    return (hits * log(rate) if hits else 0.0) + ((runs - hits) * log(1 - rate) if runs > hits else 0.0)


def evidence_above(limit: float, hits: int, runs: int) -> float:
    """Return the log of the evidence that a rate is above `limit`: 0 and less is none, log(1/alpha) is enough."""
    if not runs or hits <= limit * runs:
        return 0.0
    return log_mixture(hits, runs) - log_likelihood(limit, hits, runs)


def evidence_below(limit: float, hits: int, runs: int) -> float:
    """Return the log of the evidence that a rate is below `limit`."""
    if not runs or hits >= limit * runs:
        return 0.0
    return log_mixture(hits, runs) - log_likelihood(limit, hits, runs)


def evidence_of_increase(allowed: float, hits: int, runs: int, base_hits: int, base_runs: int) -> float:
    """Return the log of the evidence that a rate is more than `allowed` above another one.

    The best explanation without such an increase has the two rates exactly `allowed` apart, as the likelihood of the
    two is concave.
    """
    if not runs or not base_runs or hits / runs - base_hits / base_runs <= allowed:
        return 0.0

    def apart(base: float) -> float:
        return log_likelihood(base + allowed, hits, runs) + log_likelihood(base, base_hits, base_runs)

    # Each group alone would have it at its own end of this range, so together they have it in between.
    best = _highest(apart, base_hits / base_runs, hits / runs - allowed)
    return log_mixture(hits, runs) + log_mixture(base_hits, base_runs) - best


def interval(hits: int, runs: int, alpha: float) -> tuple[float, float]:
    """Return bounds of a rate that hold at all times together with a probability of 1 - alpha."""
    if not runs:
        return 0.0, 1.0
    enough, rate = log(1 / alpha), hits / runs
    mixture = log_mixture(hits, runs)

    def excluded(limit: float) -> bool:
        return mixture - log_likelihood(limit, hits, runs) >= enough

    return _border(excluded, 0.0, rate), _border(excluded, 1.0, rate)


def _border(excluded: Callable[[float], bool], outside: float, inside: float) -> float:
    """Return where exclusion ends, on the way from a rate that may be excluded to one that is not."""
    if not excluded(outside):
        return outside
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if excluded(middle) else (outside, middle)
    return outside


def _highest(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the greatest value of a concave function."""
    low, high = max(low, EDGE), max(high, EDGE)
    for _ in range(STEPS):
        third = (high - low) / 3
        if function(low + third) < function(high - third):
            low += third
        else:
            high -= third
    return max(function(low), function((low + high) / 2), function(high))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
