"""Files that look like checkpoints and are attacks, damaged, or honest mistakes, each with the reason to refuse it."""

import io
import pickle
import struct
import zipfile

import numpy as np
import torch

from tests.untrusted.pth_files import (
    GOOD,
    NO_HOOKS,
    NUMBERS,
    ORIGINAL,
    START,
    STOP,
    entries,
    integer,
    integers,
    packed,
    pth,
    saved,
    storage,
    tensor,
    text,
    whole,
)

NO_PTH = "it is not a checkpoint written by torch.save: "
NO_WEIGHTS = "it holds something other than weights: "
PICKLE = {"data.pkl": START + entries() + STOP, "version": b"3\n"}
CLEAN = saved(ORIGINAL)
END = b"PK\5\6"


def numpy_file():
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value.numpy() for name, value in ORIGINAL.items()})
    return buffer.getvalue()


def script():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "version", "code/__torch__.py"):
            archive.writestr(f"net/{name}", b"")
    return buffer.getvalue()


def replaced(content, at, pattern, *values):
    """The file with other fields in a record."""
    spoiled = bytearray(content)
    struct.pack_into(pattern, spoiled, at, *values)
    return bytes(spoiled)


def overlapping():
    """Two parts in the same bytes, of which the first contains the second's header."""
    inner = packed({"data/1": bytes(8)})
    content = packed(PICKLE | {"data/0": inner, "data/1": bytes(8)})
    return replaced(content, content.rindex(b"PK\1\2") + 42, "<L", content.index(inner))


def before_directory(content):
    """The file with something between its last part and its directory."""
    (begin,) = struct.unpack_from("<L", content, len(content) - 6)
    return replaced(content[:begin] + b"more" + content[begin:], len(content) - 2, "<L", begin + 4)


def two_directories():
    """A whole checkpoint in the comment-free end of another, whose directory some readers would take."""
    return CLEAN + pth()


def nested(opening, closing, depth, innermost=b""):
    return opening * depth + innermost + closing * depth


def many_parts():
    """As many parts as fit into a megabyte, all in the same place."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 20000
    return directory + struct.pack("<4s4H2LH", END, 0, 0, 20000, 20000, len(directory), 0, 0)


LOCAL = CLEAN.index(b"PK\3\4")
LISTED = CLEAN.index(b"PK\1\2")
OPERATION = NO_WEIGHTS + "its pickle contains the operation "
NOTHING_THERE = NO_WEIGHTS + "its pickle takes a value where none is"
OTHER_TENSOR = NO_WEIGHTS + "its pickle describes a tensor in another way than torch.save"
OTHER_STORAGE = NO_WEIGHTS + "its pickle describes the numbers of a tensor in another way than torch.save"
NO_STRING = NO_WEIGHTS + "expected the names of weights to be strings, found one of type "
DEEP = NO_WEIGHTS + "its pickle nests more than 8 containers"
CONTRADICTION = NO_PTH + "the records at its end contradict each other"
SHARED = b")q\0" + b"h\0h\0\x86q\0" * 9000
"""Each tuple holds the one before it twice: 2^9000 tuples for whoever goes through them."""

ZIPS = {
    "empty": (b"", NO_PTH + "File is not a zip file"),
    "text": (b"weights" * 100, NO_PTH + "File is not a zip file"),
    "the old format of torch": (saved(ORIGINAL, _use_new_zipfile_serialization=False), NO_PTH + "File is not a zip"),
    "a pickle alone": (pickle.dumps({"a": 1}), NO_PTH + "File is not a zip file"),
    "first half": (CLEAN[: len(CLEAN) // 2], NO_PTH + "File is not a zip file"),
    "last half": (CLEAN[len(CLEAN) // 2 :], CONTRADICTION),
    "one byte missing": (CLEAN[:-1], NO_PTH + "File is not a zip file"),
    "numbers of NumPy": (numpy_file(), NO_PTH + "expected all its parts in one folder, found 2"),
    "a script": (script(), NO_PTH + "it has a part 'constants.pkl', and torch.save writes no such part for weights"),
    "deflated": (
        packed(PICKLE | NUMBERS, compression=zipfile.ZIP_DEFLATED),
        "is compressed and inflates to [0-9]+ byt",
    ),
    "deflated zeros": (
        packed(PICKLE | {"data/0": bytes(10**8)}, compression=zipfile.ZIP_DEFLATED),
        "its part 'archive/data/0' is compressed and inflates to 100000000 bytes, but torch.save compresses nothing",
    ),
    "bzip2": (packed(PICKLE | NUMBERS, compression=zipfile.ZIP_BZIP2), "but torch.save compresses nothing"),
    "encrypted": (replaced(CLEAN, LISTED + 8, "<H", 0x801), NO_PTH + "its part 'archive/data.pkl' is encrypted"),
    "other case": (pth(**{"DATA.PKL": b""}), NO_PTH + "it has a part 'DATA.PKL', and torch.save writes no such part"),
    "folder in other case": (
        packed([("archive/" + name, content) for name, content in PICKLE.items()] + [("Archive/data.pkl", b"")], ""),
        NO_PTH + "expected all its parts in one folder, found 2",
    ),
    "no folder": (packed(PICKLE | NUMBERS, ""), NO_PTH + "expected all its parts in one folder, found "),
    "code": (pth(**{"code/__torch__.py": b"import os"}), NO_PTH + "it has a part 'code/__torch__.py', and torch.save"),
    "zero in front": (pth(**{"data/00": b""}), NO_PTH + "it has a part 'data/00', and torch.save writes no such part"),
    "parent folder": (
        pth(**{"../data.pkl": b""}),
        NO_PTH + "it has a part '../data.pkl', and torch.save writes no such",
    ),
    "backslash": (pth(**{"data\\0": b""}), NO_PTH + r"it has a part 'data\\\\0', and torch.save writes no such part"),
    "control characters": (pth(**{"\x1b[2J": b""}), r"the name of its part 'archive/\\x1b\[2J' contains unprintable"),
    "NUL": (
        pth(**{"data.pklX": b""}).replace(b"data.pklX", b"data.pkl\0"),
        NO_PTH + r"the name of its part 'archive/data.pkl\\x00' contains unprintable characters",
    ),
    "no pickle": (packed(NUMBERS | {"version": b"3\n"}), NO_PTH + "it has no part data.pkl"),
    "no version": (packed(PICKLE.items() - {("version", b"3\n")}), NO_PTH + "it has no part version"),
    "two pickles": (packed([*PICKLE.items(), *PICKLE.items()]), NO_PTH + "its part data.pkl occurs 2 times"),
    "a long version": (
        pth(version=b"3" * 101),
        NO_PTH + "its part version has 101 bytes, and torch.save needs at most",
    ),
    "big endian": (pth(byteorder=b"big"), NO_PTH + "expected its byteorder to be little, found b'big'"),
    "comment": (CLEAN[:-2] + b"\4\0more", NO_PTH + "it has a comment, or something follows it"),
    "comment that is missing": (
        replaced(CLEAN, len(CLEAN) - 2, "<H", 4),
        NO_PTH + "it has a comment, or something follows it",
    ),
    "disk": (replaced(CLEAN, len(CLEAN) - 18, "<H", 1), CONTRADICTION),
    "appended": (CLEAN + b"more", NO_PTH + "it has a comment, or something follows it"),
    "prepended": (b"MZ" + CLEAN, CONTRADICTION),
    "two directories": (two_directories(), CONTRADICTION),
    "wrong count": (
        replaced(pth(), len(pth()) - 14, "<HH", 3, 3),
        NO_PTH + "the record at its end counts 3 entries, but its directory lists 4",
    ),
    "wrong count of 64 bits": (replaced(CLEAN, len(CLEAN) - 98 + 24, "<QQ", 3, 3), CONTRADICTION),
    "another disk": (replaced(CLEAN, len(CLEAN) - 98 + 16, "<LL", 1, 1), CONTRADICTION),
    "end of 64 bits elsewhere": (replaced(CLEAN, len(CLEAN) - 34, "<Q", 7), CONTRADICTION),
    "many parts": (many_parts(), NO_PTH + "it lists 20000 entries, and at most 210 are accepted"),
    "large directory": (
        packed({"x" * 60000: b"", "y": b""}),
        NO_PTH + "its directory has 60[0-9]{3} bytes for 2 entries",
    ),
    "local name": (
        replaced(CLEAN, LOCAL + 30, "<7s", b"Archive"),
        "header of its entry 'archive/data.pkl' contradicts",
    ),
    "local method": (replaced(CLEAN, LOCAL + 8, "<H", 8), "the header of its entry 'archive/data.pkl' contradicts its"),
    "local size": (replaced(CLEAN, LOCAL + 18, "<LL", 7, 7), "the header of its entry 'archive/data.pkl' contradicts"),
    "local signature": (
        replaced(CLEAN, LOCAL, "<4s", b"PK\3\5"),
        "the header of its entry 'archive/data.pkl' contradic",
    ),
    "local checksum": (
        replaced(pth(), 14, "<L", 7),
        "the header of its entry 'archive/data.pkl' contradicts its direc",
    ),
    "local packed size": (replaced(pth(), 18, "<L", 7), "the header of its entry 'archive/data.pkl' contradicts its d"),
    "local unpacked size": (replaced(pth(), 22, "<L", 7), "the header of its entry 'archive/data.pkl' contradicts it"),
    "before the directory": (
        before_directory(pth()),
        NO_PTH + "its directory begins at [0-9]+, but its last entry end",
    ),
    "local header elsewhere": (
        replaced(CLEAN, LISTED + 42, "<L", 64),
        "its entry 'archive/.* begins at [0-9]+, but the",
    ),
    "sizes that lie": (
        replaced(CLEAN, LISTED + 20, "<LL", 2**31, 2**31),
        "its parts claim [0-9]+ bytes, but the whole",
    ),
    "another size": (
        replaced(CLEAN, LISTED + 20, "<LL", 8, 8),
        "begins at [0-9]+, but the one before it ends at [0-9]+",
    ),
    "overlap": (overlapping(), NO_PTH + "its entry 'archive/data/1' begins at [0-9]+, but the one before it ends at"),
    "a changed bit": (
        CLEAN.replace(NUMBERS["data/0"], bytes(24)),
        NO_PTH + "its part 'archive/data/0' is damaged: its checksum differs",
    ),
}

PICKLES = {
    "a bytearray": (pth(b"c__builtin__\nbytearray\n" + integer(2 * 10**9) + b"\x85R"), "'__builtin__ bytearray'"),
    "a command": (
        pth(b"cposix\nsystem\n" + text("touch created") + b"\x85R"),
        NO_WEIGHTS + "its pickle contains 'posix s",
    ),
    "a function of torch": (pth(b"ctorch\nzeros\n" + integer(10**9) + b"\x85R"), "its pickle contains 'torch zeros'"),
    "a class of torch": (pth(b"ctorch\nSize\n" + integers((1,)) + b"R"), "its pickle contains 'torch Size'"),
    "an old rebuild": (pth(b"ctorch._utils\n_rebuild_tensor\n"), "its pickle contains 'torch._utils _rebuild_tensor'"),
    "no name": (pth(b"c" + b"x" * 10000), NO_WEIGHTS + "its pickle contains a class or function without a name"),
    "protocol 4": (
        packed(PICKLE | {"data.pkl": pickle.dumps({}, 4)}),
        r"its pickle contains b'\\x80\\x04' where torch.sa",
    ),
    "protocol 0": (
        packed(PICKLE | {"data.pkl": pickle.dumps({}, 0)}),
        NO_WEIGHTS + "its pickle contains b'\\(d' where",
    ),
    "no protocol": (packed(PICKLE | {"data.pkl": b""}), NO_WEIGHTS + "its pickle contains b'' where torch.save writes"),
    "global from the stack": (pth(text("os") + text("system") + b"\x93"), OPERATION + "STACK_GLOBAL"),
    "instance": (pth(b"(ios\nsystem\n"), OPERATION + "INST"),
    "object": (pth(b"(cos\nsystem\no"), NO_WEIGHTS + "its pickle contains 'os system'"),
    "new object": (pth(b"ccollections\nOrderedDict\n)\x81"), OPERATION + "NEWOBJ"),
    "extension": (pth(b"\x82\x01"), OPERATION + "EXT1"),
    "text integer": (pth(b"I" + b"1" * 100000 + b"\n"), OPERATION + "INT"),
    "text long": (pth(b"L" + b"1" * 100000 + b"L\n"), OPERATION + "LONG"),
    "long of 4 bytes": (pth(b"\x8b" + struct.pack("<l", 2**31 - 1)), OPERATION + "LONG4"),
    "bytes": (pth(b"B" + struct.pack("<L", 2**32 - 1)), OPERATION + "BINBYTES"),
    "bytes of 8 bytes": (pth(b"\x8e" + struct.pack("<Q", 2**62)), OPERATION + "BINBYTES8"),
    "bytearray of 8 bytes": (pth(b"\x96" + struct.pack("<Q", 2**40)), OPERATION + "BYTEARRAY8"),
    "string of 8 bytes": (pth(b"\x8d" + struct.pack("<Q", 2**62)), OPERATION + "BINUNICODE8"),
    "text string": (pth(b"S'" + b"x" * 10000 + b"'\n"), OPERATION + "STRING"),
    "frame": (pth(b"\x95" + struct.pack("<Q", 2**62)), OPERATION + "FRAME"),
    "duplicate": (pth(b"}" + b"2" * 10000), OPERATION + "DUP"),
    "pop": (pth(b"}0"), OPERATION + "POP"),
    "pop mark": (pth(b"}(1"), OPERATION + "POP_MARK"),
    "set": (pth(b"\x8f"), OPERATION + "EMPTY_SET"),
    "out-of-band": (pth(b"\x97"), OPERATION + "NEXT_BUFFER"),
    "text identifier": (pth(b"P0\n"), OPERATION + "PERSID"),
    "no operation": (pth(b"\xff"), OPERATION + r"b'\\xff'"),
    "string of 4 GB": (
        pth(b"X" + struct.pack("<L", 2**32 - 1)),
        "a string in its pickle has 4294967295 bytes, and a nam",
    ),
    "string of 1 MB": (
        pth(text("x" * 9 * 10**5)),
        NO_WEIGHTS + "its pickle has 9000[0-9]+ bytes, and at most 417792 are",
    ),
    "string that is cut off": (whole(START + b"X\x09\0\0\0abc"), NO_WEIGHTS + "its pickle is cut off"),
    "no UTF-8": (pth(text(b"\xff")), NO_WEIGHTS + "'utf-8' codec can't decode byte 0xff"),
    "half a character": (pth(text(b"\xed\xa0\x80")), NO_WEIGHTS + "'utf-8' codec can't decode byte 0xed"),
    "no end": (whole(START + b"}"), NO_WEIGHTS + "its pickle is cut off"),
    "nothing": (pth(b""), NOTHING_THERE),
    "two values": (pth(b"}}"), NO_WEIGHTS + "its pickle goes on after its end, or leaves more than one value"),
    "a mark is left": (pth(b"}("), NOTHING_THERE),
    "more after the end": (
        whole(START + b"}.cos\nsystem\n"),
        NO_WEIGHTS + "its pickle goes on after its end, or leaves",
    ),
    "nothing to remember": (pth(b"q\0"), NOTHING_THERE),
    "nothing remembered": (pth(b"h\0"), NOTHING_THERE),
    "no mark": (pth(b"t"), NOTHING_THERE),
    "below a mark": (pth(b"}(\x85"), NOTHING_THERE),
    "many operations": (pth(b"}" + b"q\0" * 30000), NO_WEIGHTS + "its pickle has more than 20400 operations"),
    "many marks": (pth(b"(" * 10**5), NO_WEIGHTS + "its pickle has more than 20400 operations"),
    "many memos": (
        pth(b"}" + b"".join(b"r" + struct.pack("<L", at) for at in range(60000))),
        "more than 20400 operations",
    ),
    "tuples in tuples": (pth(b")" + b"\x85" * 20000), DEEP),
    "tuples in marks": (pth(nested(b"(", b"t", 9000)), DEEP),
    "lists in lists": (pth(nested(b"](", b"e", 6000)), DEEP),
    "dictionaries in dictionaries": (pth(nested(b"}" + text("a"), b"s", 5000, b"}")), DEEP),
    "shared tuples": (pth(SHARED), DEEP),
    "shared lists": (pth(b"]q\0" + b"](h\0h\0eq\0" * 2000), DEEP),
    "a list in itself": (pth(b"]q\0" + b"h\0a" * 20), DEEP),
    "a dictionary in itself": (pth(b"}q\0" + b"".join(text(f"{at}") + b"h\0s" for at in range(20))), DEEP),
    "a long tuple": (
        pth(b"(" + b"N" * 17 + b"t"),
        "its pickle has a tuple of 17 items, and torch.save needs at most 16",
    ),
    "tuple as a name": (pth(b"}(" + b"K\0K\1\x86" + GOOD["a"] + b"u"), NO_STRING + "tuple"),
    "shared tuple as a name": (pth(b"}" + b")" + b"q\0h\0\x86" * 6 + b"Ns"), NO_STRING + "tuple"),
    "integer as a name": (pth(b"}K\0Ns"), NO_STRING + "int"),
    "nothing as a name": (pth(b"}NNs"), NO_STRING + "NoneType"),
    "number that is not one as a name": (pth(b"}G\x7f\xf8\0\0\0\0\0\0Ns"), NO_STRING + "float"),
    "list as a name": (pth(b"}]Ns"), NO_STRING + "list"),
    "tensor as a name": (pth(b"}" + GOOD["a"] + b"Ns"), NO_STRING + "StoredTensor"),
    "a long name": (
        pth(b"}" + text("x" * 201) + b"Ns"),
        "the name of a weight has 201 characters, and at most 200 are",
    ),
    "a name of control characters": (
        pth(b"}" + text("\x1b" * 200) + b"Ns"),
        r"unprintable characters: '(\\x1b){50}'\.\.\.",
    ),
    "a name with NUL": (pth(entries(**{"a\0": GOOD["a"]})), r"contains unprintable characters: 'a\\x00'"),
    "a name that turns the line": (
        pth(entries(**{"a\u202e": GOOD["a"]})),
        r"contains unprintable characters: 'a\\u202e'",
    ),
    "one name twice": (pth(b"}(" + text("a") + GOOD["a"] + text("a") + GOOD["a"] + b"u"), "its pickle names 'a' twice"),
    "items of a tuple": (
        pth(b")" + text("a") + b"Ns"),
        NO_WEIGHTS + "its pickle sets items of something other than a di",
    ),
    "items of a tensor": (
        pth(GOOD["a"] + text("a") + b"Ns"),
        "its pickle sets items of something other than a dictionary",
    ),
    "a name without a value": (
        pth(b"}(" + text("a") + b"u"),
        "its pickle sets items of something other than a dictionary",
    ),
    "append to a dictionary": (pth(b"}Na"), NO_WEIGHTS + "its pickle appends to something other than a list"),
    "another attribute": (
        pth(NO_HOOKS + b"}" + text("__class__") + b"Nsb"),
        NO_WEIGHTS + "its pickle sets attributes other than the _metadata of a state",
    ),
    "a number for attributes": (
        pth(NO_HOOKS + b"K\1b"),
        "its pickle sets attributes other than the _metadata of a state",
    ),
    "attributes of a tensor": (
        pth(GOOD["a"] + b"}" + text("_metadata") + b"}sb"),
        "its pickle sets attributes other th",
    ),
    "attributes of a class": (
        pth(b"ccollections\nOrderedDict\n}b"),
        "its pickle sets attributes other than the _metadata",
    ),
    "a call of a name": (pth(text("posix.system") + b")R"), OTHER_TENSOR),
    "a dictionary with items": (pth(b"ccollections\nOrderedDict\n]\x85R"), OTHER_TENSOR),
}

TENSORS = {
    "no strides, 8 GB": (
        pth(entries(a=tensor(storage(size=1), shape=(2**31,), strides=(0,))), **{"data/0": bytes(4)}),
        r"a: expected shape \(2, 3\), found \(2147483648,\)",
    ),
    "no strides": (
        pth(entries(a=tensor(storage(size=1), strides=(0, 0))), **{"data/0": bytes(4)}),
        r"a: expected a contiguous tensor, found strides \(0, 0\)",
    ),
    "overlapping strides": (
        pth(entries(a=tensor(strides=(1, 1)))),
        r"a: expected a contiguous tensor, found strides \(1, 1",
    ),
    "transposed": (pth(entries(a=tensor(strides=(1, 2)))), r"a: expected a contiguous tensor, found strides \(1, 2\)"),
    "beyond the part": (pth(entries(a=tensor(offset=1))), "a tensor reaches to number 6 of a part that has 6"),
    "far beyond the part": (
        pth(entries(a=tensor(strides=(2**62, 1)))),
        "reaches to number 4611686018427387906 of a part",
    ),
    "negative offset": (pth(entries(a=tensor(offset=-1))), OTHER_TENSOR),
    "huge offset": (pth(entries(a=tensor(offset=2**63))), OTHER_TENSOR),
    "negative stride": (pth(entries(a=tensor(strides=(-3, 1)))), OTHER_TENSOR),
    "negative shape": (pth(entries(a=tensor(shape=(-2, -3)))), OTHER_TENSOR),
    "true for one": (pth(entries(a=tensor(shape=(b"\x88", 3)))), OTHER_TENSOR),
    "fraction for a size": (pth(entries(a=tensor(shape=(b"G@\0\0\0\0\0\0\0", 3)))), OTHER_TENSOR),
    "list for a shape": (
        pth(entries(a=GOOD["a"].replace(integers((2, 3)), b"](" + integers((2, 3))[1:-1] + b"e"))),
        OTHER_TENSOR,
    ),
    "tuple in a shape": (pth(entries(a=tensor(shape=(b")", 3)))), OTHER_TENSOR),
    "shape without strides": (pth(entries(a=tensor(strides=(1,)))), "a tensor has 2 dimensions and 1 strides"),
    "nine dimensions": (pth(entries(a=tensor(shape=(1,) * 9, strides=(1,) * 9))), "a tensor has an impossible shape"),
    "too many numbers": (
        pth(entries(a=tensor(shape=(2**62, 2**62), strides=(0, 0)))),
        "a tensor has an impossible shape",
    ),
    "none, but of a huge shape": (
        pth(entries(a=tensor(shape=(0, 2**62, 2**62), strides=(0,) * 3))),
        "an impossible shape",
    ),
    "hooks": (pth(entries(a=tensor(hooks=NO_HOOKS + text("a") + b"Ns"))), OTHER_TENSOR),
    "hooks of another type": (pth(entries(a=tensor(hooks=b"}"))), OTHER_TENSOR),
    "gradient": (pth(entries(a=tensor(grad=b"K\1"))), OTHER_TENSOR),
    "a seventh argument": (pth(entries(a=tensor(more=b"}"))), OTHER_TENSOR),
    "no storage": (pth(entries(a=tensor(b"N"))), OTHER_TENSOR),
    "a parameter of a parameter": (
        pth(entries(a=b"ctorch._utils\n_rebuild_parameter\n" * 2 + GOOD["a"] + (b"\x88" + NO_HOOKS + b"\x87R") * 2)),
        OTHER_TENSOR,
    ),
    "a parameter with hooks": (
        pth(
            entries(a=b"ctorch._utils\n_rebuild_parameter\n" + GOOD["a"] + b"\x88" + NO_HOOKS + text("a") + b"Ns\x87R")
        ),
        OTHER_TENSOR,
    ),
    "a parameter of a number": (
        pth(entries(a=b"ctorch._utils\n_rebuild_parameter\nN\x88" + NO_HOOKS + b"\x87R")),
        OTHER_TENSOR,
    ),
    "a storage as a weight": (pth(entries(a=storage())), "a: expected a tensor, found Storage"),
    "a class as a weight": (pth(entries(a=b"ctorch\nFloatStorage\n")), "a: expected a tensor, found Global"),
    "a list as a weight": (pth(entries(a=b"]")), "a: expected a tensor, found list"),
    "quantized": (pth(entries(a=tensor(storage("QInt8")))), NO_WEIGHTS + "its pickle contains 'torch QInt8Storage'"),
    "an unknown identifier": (pth(text("storage") + b"Q"), OTHER_STORAGE),
    "another identifier": (pth(entries(a=tensor(storage().replace(b"storage", b"Storage", 1)))), OTHER_STORAGE),
    "a negative size": (pth(entries(a=tensor(storage(size=-1)))), OTHER_STORAGE),
    "a size that is true": (pth(entries(a=tensor(storage().replace(integer(6), b"\x88")))), OTHER_STORAGE),
    "a large storage in a small part": (
        pth(entries(a=tensor(storage(size=2**40)))),
        "expected 4398046511104 bytes in its part data/0, found 24",
    ),
    "a small storage in a large part": (
        pth(entries(a=tensor(storage(size=5)))),
        "expected 20 bytes in its part data/0, f",
    ),
    "half in a part of single": (
        pth(entries(a=tensor(storage("Half")))),
        "expected 12 bytes in its part data/0, found 24",
    ),
    "no part": (pth(entries(a=tensor(storage(key="7")))), "its part data/'7' is missing"),
    "a part outside of data": (
        pth(entries(a=tensor(storage(key="../version")))),
        r"its part data/'../version' is missing",
    ),
    "a part that nothing uses": (pth(**{"data/2": bytes(10**5)}), "no tensor uses its part data/2"),
    "one part of two types": (
        pth(entries(a=tensor(storage(key="1", size=2)))),
        "two tensors describe part '1' differently",
    ),
    "double": (
        saved(ORIGINAL | {"a": ORIGINAL["a"].double()}),
        "a: expected torch.float32 or torch.float16, found torch.fl",
    ),
    "true and false": (saved(ORIGINAL | {"n": torch.tensor(True)}), "n: expected torch.int64, found torch.bool"),
    "not a number": (saved(ORIGINAL | {"a": torch.full((2, 3), float("nan"))}), "a: 6 values are NaN or infinite"),
    "infinite half": (
        saved(ORIGINAL | {"a": torch.full((2, 3), -torch.inf).half()}),
        "a: 6 values are NaN or infinite",
    ),
    "a list of weights": (saved(list(ORIGINAL.values())), "expected a dictionary of weights, found list"),
    "a tensor alone": (saved(ORIGINAL["a"]), "expected a dictionary of weights, found StoredTensor"),
    "a training state": (
        saved({"epoch": 3, "loss": 0.5, "model": ORIGINAL, "rates": [0.1, 0.2], "best": None}),
        "expected the 2 weights of the original model, found 5; the first missing or unexpected one is 'a'",
    ),
    "a module": (saved(torch.nn.Linear(2, 3)), NO_WEIGHTS + "its pickle contains 'torch.nn.modules.linear Linear'"),
    "one weight more": (
        saved(ORIGINAL | {"b": torch.zeros(1)}),
        "expected the 2 weights of the original model, found 3",
    ),
}

HOSTILE = {**ZIPS, **PICKLES, **TENSORS}
