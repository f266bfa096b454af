"""Floating point numbers, laid out so that they compress.

Numbers of similar size share their first bytes. The filter puts the first bytes of all numbers side by side, then the
second bytes, and so on; compressors then find what they share. HDF5 and Blosc call it byte shuffling.
"""

import numpy as np

WIDTH = 8
"""Bytes of a number in double precision."""


def shuffled(content: bytes) -> bytes:
    """Group the bytes of all numbers by position. Pads the length to a multiple of ``WIDTH``."""
    padded = content + bytes(-len(content) % WIDTH)
    return np.frombuffer(padded, np.uint8).reshape(-1, WIDTH).T.tobytes()


def unshuffled(content: bytes, length: int) -> bytes:
    """Undo ``shuffled``.

    Args:
        content: the return value of ``shuffled``.
        length: the number of bytes before shuffling.

    Raises:
        ValueError: ``content`` is not what such a length gives.
    """
    if len(content) != length + -length % WIDTH:
        raise ValueError(f"expected {length + -length % WIDTH} bytes, found {len(content)}")
    return np.frombuffer(content, np.uint8).reshape(WIDTH, -1).T.tobytes()[:length]
