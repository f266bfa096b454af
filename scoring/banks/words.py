"""The words of a bank: what it is, whose the data are, and how it was made."""

from scoring.banks.card import Card

TEXT = """# A bank of {label}: {models} retrained models

It holds the original model of the task `{label}` of the unlearning kit, and the answers of its retrained models. With
it, you can score a submission without training these models:

    make score {options} BANK=bank.zip SUBMISSION=submissions/mine.py

| file | content |
|---|---|
| `bank.json` | task, seed, rules, digests, the machine and the versions that made it |
| `original.safetensors` | the weights of the original model |
| `original.npz` | its answers |
| `retrained.npz` | the answers of {models} models that never saw the forget set, and how many seconds each took |
| `ceiling.npz` | what retrained models score against each other |

The `.npz` files are byte-shuffled before compression; `unshuffled` in `scoring/banks/packing.py` reverses this.
Confidences on the test set, which do not enter the score, are in single precision; all others are as they were
computed.

- Licence of the data: {licence}
- Made by `make bank {options}` on {machine}.
- Task: SHA-256 {task_sha256}. Retrained pool: {reference}.
"""


def words_of(card: Card, options: str) -> str:
    """The README of a bank.

    Args:
        card: what it is.
        options: those of the command that made it.
    """
    machine = ", ".join(f"{name} {value}" for name, value in card.host.items())
    return TEXT.format(**card.model_dump(exclude={"files"}), options=options, machine=machine)
