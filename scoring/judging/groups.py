"""Which scores do not differ significantly: groups, instead of ranks that chance decides."""

from collections.abc import Mapping

from scoring.judging.interval import Spread, difference

CONFIDENCE = 0.95
"""Familywise: over all pairs together, by Bonferroni's correction."""


def groups(spreads: Mapping[str, Spread]) -> dict[str, int]:
    """The group of each submission, from 1 for the best.

    From the best down, the first submission that is significantly worse than the first of its group starts the next
    group: the interval for their difference lies above 0.

    Args:
        spreads: by submission, all made with the same seed.
    """
    pairs = len(spreads) * (len(spreads) - 1) / 2
    confidence = 1 - (1 - CONFIDENCE) / max(pairs, 1)
    found: dict[str, int] = {}
    best: Spread | None = None
    group = 0
    for name, spread in sorted(spreads.items(), key=lambda item: -item[1].value):
        if best is None or difference(best, spread, confidence=confidence).low > 0:
            best, group = spread, group + 1
        found[name] = group
    return found
