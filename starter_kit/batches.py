"""What a submission is handed: examples, batches of them, and the loaders that deal them out.

Two dialects exist in public code. The starting kit's batches unpack as ``inputs, targets``; those of the
competition's notebook are dictionaries with ``batch["image"]`` and ``batch["age_group"]``. A ``Batch`` speaks both.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate
from torch.utils.data._utils.collate import default_collate_fn_map

BATCH_SIZE = 64
"""The competition's batch size."""

KEYS = ("image", "age_group", "image_id", "age", "person_id")
"""The competition's names of what it knows about an example."""

BATCHES_A_LOOK_UP = 64
"""How many batches a loader looks up at once: enough to make the look-up's own cost vanish."""


class Batch(tuple[Tensor, Tensor]):
    """Some examples, or one: a pair ``(inputs, targets)`` that also answers to the competition's names.

    ``inputs, targets = batch``, ``batch[0]``, ``batch["image"]`` and ``dict(batch)`` all work. For B examples each
    value is a tensor with B rows; for one example it has no such axis.
    """

    _rest: Callable[[], dict[str, Tensor]]

    def __new__(cls, inputs: Tensor, targets: Tensor, rest: Callable[[], dict[str, Tensor]]) -> "Batch":
        """The pair, and what gives the rest of the columns when it is asked for."""
        batch = super().__new__(cls, (inputs, targets))
        # Hardly any method asks who is in the picture, so that is looked up only when it does.
        batch._rest = rest
        return batch

    def __reduce__(self) -> tuple[Any, ...]:
        return Batch, (self[0], self[1], partial(dict, self._rest()))

    def keys(self) -> tuple[str, ...]:
        """The names that the batch answers to."""
        return KEYS

    def __contains__(self, key: object) -> bool:
        return key in KEYS if isinstance(key, str) else super().__contains__(key)

    def __getitem__(self, key: Any) -> Any:
        match key:
            case "image":
                return super().__getitem__(0)
            case "age_group":
                return super().__getitem__(1)
            case str() if key in KEYS:
                return self._rest()[key]
            case str():
                raise KeyError(f"a batch has {', '.join(KEYS)}; it has no {key!r}")
            case _:
                return super().__getitem__(key)


class Examples(Dataset[Batch]):
    """A set of examples as whole tensors, so that a batch is one look-up and not one look-up an example.

    Args:
        inputs: [n, ...] floats.
        targets: [n] int64 classes.
        image_id: [n] int64, what identifies an example within its task.
        person_id: [n] int64, whose example it is: the unit of a forget request.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, image_id: Tensor, person_id: Tensor) -> None:
        self.inputs, self.targets = inputs, targets
        self.image_id, self.person_id = image_id, person_id

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Batch:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} examples")
        return Batch(self.inputs[index], self.targets[index], partial(self._rest, torch.tensor(index)))

    def __getitems__(self, indices: Sequence[int]) -> "_Rows":
        return _Rows(self, indices)

    def take(self, index: Tensor) -> Batch:
        """The examples at [B] int64 positions, as one batch that shares no memory with this set."""
        index = index.to(self.targets.device)
        inputs, targets = self.inputs.index_select(0, index), self.targets.index_select(0, index)
        return Batch(inputs, targets, partial(self._rest, index))

    def _rest(self, index: Tensor) -> dict[str, Tensor]:
        """What is known of the examples at ``index`` beside the pair; the class stands for an age."""
        columns = {"image_id": self.image_id, "age": self.targets, "person_id": self.person_id}
        return {name: column[index] for name, column in columns.items()}

    def to(self, device: torch.device) -> "Examples":
        """The same examples in a device's memory."""
        columns = (self.inputs, self.targets, self.image_id, self.person_id)
        return Examples(*(column.to(device) for column in columns))


class _Rows(Sequence[Batch]):
    """The rows that a ``DataLoader`` asked for, not looked up before it is known that one batch is wanted."""

    def __init__(self, examples: Examples, indices: Sequence[int]) -> None:
        self.examples, self.indices = examples, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        return self.examples[self.indices[index]]


def _collate(rows: Sequence[Batch], *, collate_fn_map: Mapping | None = None) -> Batch:
    """One batch of rows; as a single look-up when they come straight from an ``Examples``."""
    if isinstance(rows, _Rows):
        return rows.examples.take(torch.tensor(rows.indices))
    inputs, targets = (torch.stack([row[part] for row in rows]) for part in (0, 1))
    return Batch(inputs, targets, lambda: {key: default_collate([row[key] for row in rows]) for key in KEYS[2:]})


# PyTorch's own extension point for new types of samples. It reaches the loaders that a submission builds
# itself over `retain.dataset`, whatever wraps it (Subset, ConcatDataset), which a collate_fn of ours would not.
default_collate_fn_map[Batch] = _collate


class ExampleLoader(DataLoader[Batch]):
    """A ``DataLoader`` over an ``Examples`` that looks up many batches at once and deals out slices of them.

    The order of a shuffled pass is drawn from torch's global generator when the pass begins. The last batch
    may be smaller: no example is left out.
    """

    def __init__(self, examples: Examples, batch_size: int = BATCH_SIZE, shuffle: bool = True) -> None:
        super().__init__(examples, batch_size=batch_size, shuffle=shuffle)
        self.examples, self.rows, self.shuffled = examples, batch_size, shuffle

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        size = len(self.examples)
        order = torch.randperm(size) if self.shuffled else torch.arange(size)
        for index in order.to(self.examples.targets.device).split(self.rows * BATCHES_A_LOOK_UP):
            inputs, targets = self.examples.take(index)
            pieces = inputs.split(self.rows), targets.split(self.rows), index.split(self.rows)
            for some_inputs, some_targets, some in zip(*pieces, strict=True):
                yield Batch(some_inputs, some_targets, partial(self.examples._rest, some))
