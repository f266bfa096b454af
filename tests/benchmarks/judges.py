"""Rank correlations: between judges over all methods, and with the competition's prize order."""


def with_tables(page, reports):
    """The page as it is."""
    return page
