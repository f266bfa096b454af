"""Trouble on the way to Kaggle."""


class KaggleError(Exception):
    """Trouble that a person can act on; the message says what was expected, what was found, what to do."""
