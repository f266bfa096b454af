"""A .safetensors file is untrusted: each defence is tested with one that would break through without it."""

import json

import pytest
import safetensors.torch
import torch

from scoring.untrusted.weights import weights_in_safetensors

ORIGINAL = {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7), "empty": torch.zeros(0, 4)}
GOOD = safetensors.torch.save(ORIGINAL, {"format": "pt"})


def packed(header, data):
    """A file with this header, as an object or as bytes."""
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + data


def entry(dtype="F32", shape=(2, 3), offsets=(0, 24), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


HEADER = {"a": entry(), "n": entry("I64", (), (24, 32)), "empty": entry(shape=(0, 4), offsets=(32, 32))}
DATA = ORIGINAL["a"].numpy().tobytes() + ORIGINAL["n"].numpy().tobytes()


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}], ids=["plain", "with metadata"])
@pytest.mark.parametrize("half", [True, False], ids=["half", "single"])
def test_what_the_library_writes_is_read(metadata, half):
    state = {name: value.half() if half and value.is_floating_point() else value for name, value in ORIGINAL.items()}
    found = weights_in_safetensors(safetensors.torch.save(state, metadata), ORIGINAL)
    assert list(found) == list(ORIGINAL)
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in ORIGINAL.items())
    assert packed(HEADER, DATA) != GOOD
    assert torch.equal(weights_in_safetensors(packed(HEADER, DATA), ORIGINAL)["a"], ORIGINAL["a"])


HOSTILE = {
    "empty": (b"", "its header claims 0 bytes, but the whole file has 0"),
    "truncated": (GOOD[:40], "its header claims 208 bytes, but the whole file has 40"),
    "truncated tensors": (GOOD[:-1], "its tensors have 32 bytes, but 31 follow the header"),
    "long header": (packed(b" " * 10**6, b""), "its header has 1000000 bytes, and at most 316416 are accepted"),
    "claimed header": (b"\xff" * 8 + b"{}", "its header claims 18446744073709551615 bytes, but the whole file has 10"),
    "no JSON": (packed(b"{'a': 1}", DATA), "its header is not valid JSON: "),
    "no UTF-8": (packed(b'{"\xff": 1}', DATA), "its header is not valid JSON: .*can't decode byte 0xff"),
    "deeply nested": (packed(b'{"a":' + b"[" * 12000, DATA), "its header is not valid JSON: 'maximum recursion depth"),
    "nested metadata": (
        packed(HEADER | {"__metadata__": {"a": {"a": "a"}}}, DATA),
        "expected its __metadata__ to hold strings of at most 200 characters",
    ),
    "long metadata": (
        packed(HEADER | {"__metadata__": {"a": "a" * 201}}, DATA),
        "expected its __metadata__ to hold strings of at most 200 characters",
    ),
    "much metadata": (
        packed(HEADER | {"__metadata__": {str(key): "" for key in range(17)}}, DATA),
        "expected its __metadata__ to be an object of at most 16 strings",
    ),
    "metadata list": (packed(HEADER | {"__metadata__": []}, DATA), "expected its __metadata__ to be an object"),
    "large integer": (packed(b'{"a":' + b"1" * 5000 + b"}", DATA), "its header is not valid JSON: 'Exceeds the limit"),
    "list": (packed([HEADER], DATA), "expected its header to be a JSON object, found list"),
    "key twice": (packed(b'{"a":1,"a":1}', DATA), "its header is not valid JSON: 'a key occurs twice'"),
    "field twice": (packed(b'{"a":{"dtype":"F32","dtype":"F32"}}', DATA), "'a key occurs twice'"),
    "control character": (
        packed(HEADER | {"\x1b[2J": entry()}, DATA),
        r"the name of a weight contains unprintable characters: '\\x1b\[2J'",
    ),
    "NUL": (packed(HEADER | {"a\x00": entry()}, DATA), r"contains unprintable characters: 'a\\x00'"),
    "long name": (
        packed(HEADER | {"a" * 201: entry()}, DATA),
        "the name of a weight has 201 characters, and at most 200 are accepted: 'a{200}'...$",
    ),
    "no entry": (packed(HEADER | {"a": 3}, DATA), "a: expected exactly dtype, shape and data_offsets in its header"),
    "more in an entry": (packed(HEADER | {"a": entry(more=1)}, DATA), "a: expected exactly dtype, shape and data_off"),
    "unknown type": (packed(HEADER | {"a": entry("F8_E4M3")}, DATA), "a: expected a dtype among F64, .*, found 'F8_E4"),
    "type is a list": (packed(HEADER | {"a": entry(["F32"])}, DATA), "a: expected a dtype among F64, "),
    "true for one": (packed(HEADER | {"a": entry(shape=(True, 6))}, DATA), "a: expected its shape to be at most 8 int"),
    "negative shape": (packed(HEADER | {"a": entry(shape=(-2, -3))}, DATA), "a: expected its shape to be at most 8 in"),
    "huge shape": (
        packed(HEADER | {"a": entry(shape=(2**64, 0))}, DATA),
        "a: expected its shape to be at most 8 integ",
    ),
    "many dimensions": (
        packed(HEADER | {"a": entry(shape=(1,) * 1000)}, DATA),
        "a: expected its shape to be at most 8",
    ),
    "fractions": (packed(HEADER | {"a": entry(offsets=(0.0, 24.0))}, DATA), "a: expected its data_offsets to be two i"),
    "three offsets": (
        packed(HEADER | {"a": entry(offsets=(0, 24, 24))}, DATA),
        "a: expected its data_offsets to be two",
    ),
    "larger than its bytes": (
        packed(HEADER | {"a": entry(shape=(10**6, 10**6))}, DATA),
        "a: its shape needs 4000000000000 bytes, but its data_offsets span 24",
    ),
    "backwards": (
        packed(HEADER | {"a": entry(offsets=(24, 0))}, DATA),
        "needs 24 bytes, but its data_offsets span -24",
    ),
    "beyond the end": (packed(HEADER, DATA[:-4]), "its tensors have 32 bytes, but 28 follow the header"),
    "more at the end": (packed(HEADER, DATA + b"more"), "its tensors have 32 bytes, but 36 follow the header"),
    "overlap": (packed(HEADER | {"n": entry("I64", (), (16, 24))}, DATA), "the bytes of n begin at 16, but those bef"),
    "gap": (
        packed(HEADER | {"n": entry("I64", (), (28, 36))}, DATA + DATA),
        "the bytes of n begin at 28, but those bef",
    ),
    "another weight": (
        packed(HEADER | {"b": entry(offsets=(32, 56))}, DATA + bytes(24)),
        "expected the 3 weights of the original model, found 4; the first missing or unexpected one is 'b'",
    ),
    "double": (
        safetensors.torch.save(ORIGINAL | {"a": ORIGINAL["a"].double()}),
        "a: expected torch.float32 or torch.float16, found torch.float64",
    ),
    "bfloat16": (
        safetensors.torch.save(ORIGINAL | {"a": ORIGINAL["a"].bfloat16()}),
        "a: expected torch.float32 or tor",
    ),
    "another shape": (
        safetensors.torch.save(ORIGINAL | {"a": torch.zeros(3, 2)}),
        r"a: expected shape \(2, 3\), found ",
    ),
    "not a number": (safetensors.torch.save(ORIGINAL | {"a": ORIGINAL["a"] / 0}), "a: 6 values are NaN or infinite"),
    "a .pth": (
        b"PK\x03\x04\x00\x00\x00\x00" + bytes(100),
        "its header claims 67324752 bytes, but the whole file has 108",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused(case):
    content, message = HOSTILE[case]
    with pytest.raises(ValueError, match=message) as caught:
        weights_in_safetensors(content, ORIGINAL)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()
