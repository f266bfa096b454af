"""Parts of a ``.pth`` by hand: zips, pickles and tensors as torch.save writes them, each open to be spoiled."""

import io
import struct
import warnings
import zipfile

import torch

ORIGINAL = {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7)}
NUMBERS = {"data/0": ORIGINAL["a"].numpy().tobytes(), "data/1": ORIGINAL["n"].numpy().tobytes()}

START, STOP = b"\x80\x02", b"."
NO_HOOKS = b"ccollections\nOrderedDict\n)R"


def saved(state, **how):
    buffer = io.BytesIO()
    torch.save(state, buffer, **how)
    return buffer.getvalue()


def text(written):
    encoded = written.encode() if isinstance(written, str) else written
    return b"X" + struct.pack("<L", len(encoded)) + encoded


def integer(value):
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def integers(values):
    return b"(" + b"".join(value if isinstance(value, bytes) else integer(value) for value in values) + b"t"


def storage(kind="Float", key="0", size=6, location="cpu"):
    return (
        b"("
        + text("storage")
        + f"ctorch\n{kind}Storage\n".encode()
        + text(key)
        + text(location)
        + integer(size)
        + b"tQ"
    )


def tensor(stored=None, offset=0, shape=(2, 3), strides=(3, 1), grad=b"\x89", hooks=NO_HOOKS, more=b""):
    view = integer(offset) + integers(shape) + integers(strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + (stored or storage()) + view + grad + hooks + more + b"tR"


GOOD = {"a": tensor(), "n": tensor(storage("Long", "1", 1), shape=(), strides=())}


def entries(**values):
    """A dictionary of these pickled values, in place of or besides the good ones."""
    return b"}(" + b"".join(text(name) + value for name, value in (GOOD | values).items()) + b"u"


def packed(parts, folder="archive/", compression=zipfile.ZIP_STORED):
    """A zip of parts, given by their names as a dictionary or as pairs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # A name may occur twice.
        for name, content in parts.items() if isinstance(parts, dict) else parts:
            archive.writestr(folder + name, content)
    return buffer.getvalue()


def pth(pickled=None, **parts):
    """A checkpoint with this value in its pickle; ``parts`` are named without their dots and slashes."""
    pickled = START + (entries() if pickled is None else pickled) + STOP
    return packed({"data.pkl": pickled, "version": b"3\n"} | NUMBERS | parts)


def with_parts(**parts):
    """A good checkpoint with more parts, or with others."""
    return pth(**parts)


def whole(pickled, **parts):
    """A checkpoint whose pickle has these bytes."""
    return packed({"data.pkl": pickled, "version": b"3\n"} | NUMBERS | parts)
