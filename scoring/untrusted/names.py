"""Names that someone else chose: which of them a weight may have, and how a message quotes them."""

LONGEST_NAME = 200
"""Characters that the name of a weight may have. PyTorch's own networks stay below a hundred."""


def quoted(text: str) -> str:
    """A foreign text for a message: in quotes, with control characters escaped, and cut after 200 characters."""
    shown = repr(text[:LONGEST_NAME])
    cut = len(text) > LONGEST_NAME or len(shown) > LONGEST_NAME + 2
    return f"{shown[: LONGEST_NAME + 1]}{shown[0]}..." if cut else shown


def checked_name(name: str) -> str:
    """The name of a weight, as it is. Raises ``ValueError`` if it is too long or contains unprintable characters."""
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"the name of a weight has {len(name)} characters, and at most {LONGEST_NAME} are accepted: {quoted(name)}"
        )
    if not name.isprintable():
        raise ValueError(f"the name of a weight contains unprintable characters: {quoted(name)}")
    return name
