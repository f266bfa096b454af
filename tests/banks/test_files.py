"""The file of a bank, which may be a stranger's."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest

from scoring.banks.files import NAMES, card_in, load, packed
from scoring.banks.packing import shuffled, unshuffled
from starter_kit import tasks
from starter_kit.errors import InputError


@pytest.fixture(scope="module")
def start():
    return tasks.load("digits").network().state_dict()


@pytest.fixture
def changed(bank_file, tmp_path):
    """The bank with some files replaced, added, or left out (None); their sizes and digests are put into the card."""

    def write(contents, card=None, honest=True, compression=zipfile.ZIP_LZMA):
        with zipfile.ZipFile(bank_file) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        described = json.loads(files["bank.json"]) | (card or {})
        files |= contents
        for name in contents:
            if honest and name in described["files"] and files[name] is not None:
                content = files[name]
                described["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                files[name] = shuffled(content) if name.endswith(".npz") else content
        files["bank.json"] = contents.get("bank.json", json.dumps(described).encode())
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in files.items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return write


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_what_is_written_is_read_again_to_the_bit(bank, bank_file, start):
    found = load(bank_file, start)
    assert found.card.model_copy(update={"files": {}}) == bank.card
    assert found.original.sha256 == bank.original.sha256
    for name, values in bank.retrained.arrays().items():
        assert np.array_equal(getattr(found.retrained, name), values, equal_nan=True)
    assert [one.value for one in found.ceiling.scores] == [one.value for one in bank.ceiling.scores]
    assert np.array_equal(found.ceiling.strongest_epsilon, bank.ceiling.strongest_epsilon)
    assert packed(bank, "Words.") == bank_file.read_bytes(), "equal banks are equal files"


def test_confidences_that_enter_the_score_are_not_rounded(bank):
    assert (bank.retrained.forget_confidence != bank.retrained.forget_confidence.astype(np.float32)).any()
    assert (bank.retrained.test_confidence == bank.retrained.test_confidence.astype(np.float32)).all()


@pytest.mark.parametrize("length", range(20))
def test_bytes_of_any_length_come_back(length):
    content = bytes(range(length))
    assert unshuffled(shuffled(content), length) == content
    with pytest.raises(ValueError, match="expected"):
        unshuffled(shuffled(content) + bytes(8), length)


def test_a_changed_bank_that_is_honest_about_it_is_read(changed, start):
    assert load(changed({}), start).card == card_in(changed({}))


REFUSED = {
    "nothing": (b"", "is not a bank"),
    "no zip": (b"something else", "is not a bank"),
    "half": (lambda content: content[: len(content) // 2], "is not a bank"),
    "more": (lambda content: content + b"x", "is not a bank"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_bank_is_refused(bank_file, tmp_path, start, content, message):
    path = tmp_path / "bank.zip"
    path.write_bytes(content(bank_file.read_bytes()) if callable(content) else content)
    for read in (card_in, lambda one: load(one, start)):
        with pytest.raises(InputError, match=message):
            read(path)


def test_a_bank_that_is_not_there_is_named(tmp_path, start):
    with pytest.raises(InputError, match=r"Cannot read the bank .*none.zip: No such file"):
        load(tmp_path / "none.zip", start)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(changed, start, name):
    with pytest.raises(InputError, match=r"expected bank\.json, README\.md"):
        load(changed({name: None}), start)


def test_another_file_is_refused(changed, start):
    with pytest.raises(InputError, match="at most 6 are accepted"):
        load(changed({"more.txt": b""}), start)


@pytest.mark.parametrize("name", ["original.safetensors", "original.npz", "retrained.npz", "ceiling.npz"])
def test_a_file_that_differs_from_its_digest_is_refused(changed, bank_file, start, name):
    with zipfile.ZipFile(bank_file) as archive:
        content = bytearray(archive.read(name))
    content[len(content) // 2] ^= 1
    with pytest.raises(InputError, match=f"{name} is damaged"):
        load(changed({name: bytes(content)}, honest=False), start)


def test_a_small_file_that_inflates_to_much_is_not_inflated(changed, start):
    size = 300_000_000
    record = {"size": size, "sha256": "0" * 64}
    with zipfile.ZipFile(changed({})) as archive:
        files = json.loads(archive.read("bank.json"))["files"]
    path = changed({"retrained.npz": bytes(size)}, {"files": files | {"retrained.npz": record}}, honest=False)
    with pytest.raises(InputError, match="claims 300000000 bytes, more than it may have"):
        load(path, start)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"models": "many"}, "models"),
        ({"models": 31}, "31 retrained models"),
        ({"seed": 5}, "another task, seed or pool"),
        ({"reference": "other"}, "another task, seed or pool"),
        ({"strange": 1}, "strange"),
        ({"files": {}}, "describes other files"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(changed, start, card, message):
    with pytest.raises(InputError, match=message):
        load(changed({}, card), start)


@pytest.mark.parametrize("content", [b"{}", b"[" * 100_000, b"\xff", b"null"])
def test_a_card_that_is_none_is_refused(changed, content):
    with pytest.raises(InputError, match="its card does not follow the schema"):
        card_in(changed({"bank.json": content}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("original.safetensors", b"x" * 100, "header"),
        ("retrained.npz", b"PK", "expected outputs"),
        ("ceiling.npz", npz(epsilon=np.zeros((30, 95))), "does not hold the scores"),
        ("ceiling.npz", npz(epsilon=np.array([{}], dtype=object)), "cannot be read"),
    ],
)
def test_arrays_and_weights_that_do_not_fit_are_refused(changed, start, name, content, message):
    with pytest.raises(InputError, match=message):
        load(changed({name: content}), start)


def test_weights_of_another_network_are_refused(bank_file):
    other = tasks.load("hazards").network().state_dict()
    with pytest.raises(InputError, match=r"expected the .* weights of the original model"):
        load(bank_file, other)


def test_confidences_that_are_not_finite_are_refused(changed, bank, start):
    arrays = bank.retrained.arrays()
    arrays["forget_confidence"] = arrays["forget_confidence"].copy()
    arrays["forget_confidence"][0, 0] = np.nan
    content = npz(schema_version=3, task="digits", seed=0, reference=bank.card.reference, **arrays)
    with pytest.raises(InputError, match="NaN or infinite"):
        load(changed({"retrained.npz": content}), start)
