"""The files of a bank: one zip of tensors, arrays and words. Nothing in it is unpickled."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from pydantic import ValidationError

from scoring.banks.bank import Bank
from scoring.banks.card import Card, FileRecord
from scoring.banks.packing import WIDTH, shuffled, unshuffled
from scoring.jobs.ceiling import score_in
from scoring.jobs.original import Original
from scoring.judging.ceiling import SPLITS, Ceiling
from scoring.judging.epsilon import EPSILON_CAP
from scoring.judging.outputs import Outputs
from scoring.judging.score import Score
from scoring.untrusted.weights import weights_in_safetensors
from scoring.untrusted.zip_directory import opened, starts
from starter_kit.errors import InputError, quoted
from starter_kit.task import Task

CARD, README = "bank.json", "README.md"
ORIGINAL, ANSWERS, RETRAINED, CEILING = "original.safetensors", "original.npz", "retrained.npz", "ceiling.npz"
SHUFFLED = (ANSWERS, RETRAINED, CEILING)
NAMES = (CARD, README, ORIGINAL, ANSWERS, RETRAINED, CEILING)

LONGEST_TEXT = 1_000_000
"""Bytes of the card, and of its words."""

LIMITS = {"confidence": 10_000.0, "seconds": 1e7}
"""The largest absolute values by the ends of arrays' names. Rules are tried in steps over the range of confidences."""

LEAST_SHARE = 1e-9
"""No honest share of examples lies between 0 and this."""

MOST_TIMES, AND_MORE = 200, 1_000_000
"""A file may have at most ``MOST_TIMES`` times its compressed size plus ``AND_MORE`` bytes."""


def packed(bank: Bank, words: str) -> bytes:
    """The zip of a bank. Equal banks give equal bytes.

    Args:
        bank: its card has no files yet.
        words: its README.
    """
    contents = {
        ORIGINAL: safetensors.torch.save({name: value.contiguous() for name, value in bank.original.weights.items()}),
        ANSWERS: Outputs.of_rows(bank.identity, [bank.original.answers], 1).to_bytes(),
        RETRAINED: bank.retrained.to_bytes(),
        CEILING: _arrays(bank.ceiling),
    }
    records = {
        name: FileRecord(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in contents.items()
    }
    card = bank.card.model_copy(update={"files": records})
    files = {CARD: card.model_dump_json(indent=2).encode(), README: words.encode()} | {
        name: shuffled(content) if name in SHUFFLED else content for name, content in contents.items()
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            # Any program unpacks it, and LZMA would make digits only a fiftieth smaller.
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def load(path: Path, task: Task) -> Bank:
    """The bank in a file, which may be a stranger's.

    Args:
        path: the zip.
        task: what the original and the answers must suit.

    Raises:
        InputError: it cannot be read, is damaged, or is something else. The message says what.
    """
    try:
        with path.open("rb") as file:
            return _bank(_contents(file), task)
    except OSError as error:
        raise InputError(f"Cannot read the bank {quoted(path)}: {error.strerror or error}.") from error
    except ValueError as error:
        raise InputError(f"{quoted(path)} is not a bank that `make bank` wrote: {quoted(error)}.") from error


def card_in(path: Path) -> Card:
    """The card of the bank in a file, without the rest.

    Raises:
        InputError: as for ``load``.
    """
    try:
        with path.open("rb") as file:
            return _card(_listed(file)[1](CARD, LONGEST_TEXT))
    except OSError as error:
        raise InputError(f"Cannot read the bank {quoted(path)}: {error.strerror or error}.") from error
    except ValueError as error:
        raise InputError(f"{quoted(path)} is not a bank that `make bank` wrote: {quoted(error)}.") from error


def _contents(file: BinaryIO) -> dict[str, bytes]:
    """All files of a bank, checked against the card's sizes and digests."""
    listed, read = _listed(file)
    if set(listed) != set(NAMES):
        raise ValueError(f"expected {', '.join(NAMES)}; found {', '.join(map(quoted, sorted(listed)))}")
    card = _card(read(CARD, LONGEST_TEXT))
    if set(card.files) != {ORIGINAL, *SHUFFLED}:
        raise ValueError(f"its card lists the wrong files: {', '.join(map(quoted, sorted(card.files)))}")
    found = {CARD: read(CARD, LONGEST_TEXT)}
    for name, record in card.files.items():
        if name in SHUFFLED:
            content = unshuffled(read(name, record.size + WIDTH), record.size)
        else:
            content = read(name, record.size)
        if len(content) != record.size or hashlib.sha256(content).hexdigest() != record.sha256:
            raise ValueError(f"{name} is damaged: its size or digest differs from the card's")
        found[name] = content
    return found


def _listed(file: BinaryIO) -> tuple[list[str], Callable[[str, int], bytes]]:
    """The names in the zip, and a function that reads one of them, up to a number of bytes."""
    archive = opened(file, len(NAMES))
    entries = archive.infolist()
    starts(file, entries)
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError("a name occurs twice")

    def read(name: str, most: int) -> bytes:
        entry = next((one for one in entries if one.filename == name), None)
        if entry is None:
            raise ValueError(f"there is no {name} in it")
        if entry.file_size > most or entry.file_size > MOST_TIMES * entry.compress_size + AND_MORE:
            raise ValueError(f"{name} declares {entry.file_size} bytes, more than allowed")
        try:
            with archive.open(entry) as unpacked:
                content = unpacked.read(entry.file_size)
                # The checksum is verified at the end of the entry.
                content += unpacked.read(1)
        except Exception as error:  # A hostile entry can make zipfile raise anything; it is the entry's fault.
            raise ValueError(f"{name} cannot be inflated: {error}") from error
        return content

    return names, read


def _card(content: bytes) -> Card:
    try:
        return Card.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "bank.json"
        raise ValueError(f"its card does not follow the schema: {place}: {first['msg']}") from error


def _bank(contents: Mapping[str, bytes], task: Task) -> Bank:
    card = _card(contents[CARD])
    weights = weights_in_safetensors(contents[ORIGINAL], task.network().state_dict())
    answers, retrained = (_outputs(name, contents[name], task) for name in (ANSWERS, RETRAINED))
    row = {**answers.arrays(), **answers.probes}
    bank = Bank(card, Original(weights, row), retrained, _ceiling(contents[CEILING], retrained))
    if len(answers) != 1 or len(retrained) != card.models:
        raise ValueError(f"expected answers of 1 original and {card.models} retrained models")
    if not answers.identity == retrained.identity == bank.identity:
        raise ValueError("its answers are those of another task, seed or pool than its card says")
    shapes = [{name: values.shape[1:] for name, values in one.probes.items()} for one in (answers, retrained)]
    if shapes[0] != shapes[1]:
        raise ValueError("the original model answers other probes than the retrained models")
    return bank


def _outputs(name: str, content: bytes, task: Task) -> Outputs:
    """Answers to the examples of a task, of a size that models give."""
    outputs = Outputs.from_bytes(content)
    found, expected = (
        (outputs.forget_confidence.shape[1], outputs.test_confidence.shape[1]),
        (len(task.forget), len(task.test)),
    )
    if found != expected:
        raise ValueError(f"{name}: expected answers to {expected} forget and test examples, found {found}")
    for array, values in outputs.arrays().items():
        for end, most in LIMITS.items():
            if array.endswith(end) and (np.abs(values) > most).any():
                raise ValueError(f"{name}: {array} holds values beyond {most:g}")
        if array.endswith("accuracy") and ((values > 0) & (values < LEAST_SHARE)).any():
            raise ValueError(f"{name}: {array} holds shares that no number of examples gives")
    return outputs


def _arrays(ceiling: Ceiling) -> bytes:
    """The scores of all splits as arrays [splits, ...]."""
    arrays = {one.name: np.array([getattr(score, one.name) for score in ceiling.scores]) for one in fields(Score)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _ceiling(content: bytes, retrained: Outputs) -> Ceiling:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays: dict[str, NDArray] = {name: np.asarray(file[name]) for name in file.files}
    except Exception as error:  # As above.
        raise ValueError(f"{CEILING} cannot be read: {error}") from error
    examples = retrained.forget_confidence.shape[1]
    shapes = {one.name: (SPLITS, examples) if "epsilon" in one.name else (SPLITS,) for one in fields(Score)}
    if {name: values.shape for name, values in arrays.items()} != shapes:
        raise ValueError(f"{CEILING} does not hold the scores of {SPLITS} splits and {examples} examples")
    if any(values.dtype.kind not in "fiu" or not np.isfinite(values).all() for values in arrays.values()):
        raise ValueError(f"{CEILING} holds a value that is not a finite number")
    most = {
        "forgetting_quality": 1.0,
        "epsilon": EPSILON_CAP,
        "strongest_epsilon": EPSILON_CAP,
        "undecided": float(examples),
    }
    if any((values < 0).any() or (values > most.get(name, 1 / LEAST_SHARE)).any() for name, values in arrays.items()):
        raise ValueError(f"{CEILING} holds a score that no models have")
    return Ceiling(tuple(score_in({name: values[split] for name, values in arrays.items()}) for split in range(SPLITS)))
