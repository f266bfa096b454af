"""What a submission receives: examples, batches of them, and the loaders that deal the batches.

Two conventions exist in public code. The starting kit's batches unpack as ``inputs, targets``; those of the
competition's notebook are dictionaries with ``batch["image"]`` and ``batch["age_group"]``. A ``Batch`` supports both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map

BATCH_SIZE = 64
"""The competition's batch size."""

KEYS = ("image", "age_group", "image_id", "age", "person_id")
"""The competition's names for the columns of an example."""

TEXT_KEYS = ("input_ids", "labels", "attention_mask", "image_id", "person_id")
"""The names for those of a text. Labels are shifted already: each is the token that follows."""

BATCHES_PER_LOOKUP = 64
"""How many batches a loader looks up at once, which makes the cost of the look-up itself negligible."""


class _OnGpu(Tensor):
    """A tensor on a GPU that NumPy can read, as it can the batches of the competition's loaders, which lie on the CPU.

    What is computed from it are plain tensors.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def numpy(self, *, force: bool = False) -> NDArray:
        """Its values, copied to the CPU."""
        return self.cpu().as_subclass(Tensor).numpy(force=force)

    def __array__(self, *args: Any, **options: Any) -> NDArray:
        return self.cpu().as_subclass(Tensor).__array__(*args, **options)


class Batch(tuple[Tensor, Tensor]):
    """A batch of examples, or a single one: a pair ``(inputs, targets)`` that also has the competition's keys.

    ``inputs, targets = batch``, ``batch[0]``, ``batch["image"]`` and ``dict(batch)`` all work. For B examples each
    value is a tensor with B rows; a single example lacks that axis. Text has ``TEXT_KEYS`` instead.
    """

    _rest: Callable[[], dict[str, Tensor]]
    _keys: tuple[str, ...]

    def __new__(
        cls, inputs: Tensor, targets: Tensor, rest: Callable[[], dict[str, Tensor]], keys: tuple[str, ...] = KEYS
    ) -> "Batch":
        """The pair, a function that returns the other columns when one of them is asked for, and all names.

        The first two names are those of the pair.
        """
        if inputs.is_cuda:
            inputs, targets = inputs.as_subclass(_OnGpu), targets.as_subclass(_OnGpu)
        batch = super().__new__(cls, (inputs, targets))
        # Few methods ask for ids, so these columns are looked up on demand.
        batch._rest, batch._keys = rest, keys
        return batch

    def __reduce__(self) -> tuple[Any, ...]:
        return Batch, (self[0], self[1], partial(dict, self._rest()), self._keys)

    def pin_memory(self) -> "Batch":
        """The batch in memory from which a GPU can copy; itself if it is on a GPU already."""
        if self[0].is_cuda:
            return self
        rest = {name: column.pin_memory() for name, column in self._rest().items()}
        return Batch(self[0].pin_memory(), self[1].pin_memory(), partial(dict, rest), self._keys)

    def keys(self) -> tuple[str, ...]:
        """The names of all columns."""
        return self._keys

    def __contains__(self, key: object) -> bool:
        return key in self._keys if isinstance(key, str) else super().__contains__(key)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self._keys:
            raise KeyError(f"a batch has {', '.join(self._keys)}; it has no {key!r}")
        place = self._keys.index(key)
        return super().__getitem__(place) if place < 2 else self._rest()[key]


class Examples(Dataset[Batch]):
    """A set of examples, held as whole tensors so that a batch takes one look-up instead of one per example.

    Args:
        inputs: [n, ...] float32, or int64 for tokens.
        targets: [n] int64 classes, or [n, L] int64 with -100 where nothing is asked.
        image_id: [n] int64, identifies an example within its task.
        person_id: [n] int64, the person whose example it is: the unit of a request.
        tokenizer: of text, turns words into the inputs and back; None for other inputs.
        padding: of text, the input that stands where there is no token.
        request: what is to be forgotten, in words; of a set that is only described, and holds no example.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        image_id: Tensor,
        person_id: Tensor,
        *,
        tokenizer: Any = None,
        padding: int = 0,
        request: str = "",
    ) -> None:
        self.inputs, self.targets = inputs, targets
        self.image_id, self.person_id = image_id, person_id
        self.tokenizer, self.padding, self.request = tokenizer, padding, request
        self._on_cpu: Examples | None = None

    @property
    def columns(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs, targets, image_id and person_id."""
        return self.inputs, self.targets, self.image_id, self.person_id

    def with_columns(self, columns: Iterable[Tensor]) -> "Examples":
        """Other examples of the same kind."""
        return Examples(*columns, tokenizer=self.tokenizer, padding=self.padding, request=self.request)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of a batch's columns."""
        return KEYS if self.tokenizer is None else TEXT_KEYS

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Batch:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} examples")
        here = self._usable()
        return Batch(here.inputs[index], here.targets[index], partial(here._rest, torch.tensor(index)), self.keys)

    def __getitems__(self, indices: Sequence[int]) -> "_Rows":
        return _Rows(self._usable(), indices)

    def _usable(self) -> "Examples":
        """The examples where this process can use them: a loader's process is a fork, which can use no GPU."""
        return self._on_cpu if self._on_cpu is not None and get_worker_info() else self

    def take(self, index: Tensor) -> Batch:
        """The examples at [B] int64 positions, as one batch that shares no memory with this set."""
        here = self._usable()
        index = index.to(here.targets.device)
        inputs, targets = here.inputs.index_select(0, index), here.targets.index_select(0, index)
        return Batch(inputs, targets, partial(here._rest, index), self.keys)

    def _rest(self, index: Tensor) -> dict[str, Tensor]:
        """The columns besides the pair at ``index``; the class stands in for the age."""
        columns = {"image_id": self.image_id, "age": self.targets, "person_id": self.person_id}
        if self.tokenizer is not None:
            columns["attention_mask"] = (self.inputs != self.padding).long()
        return {name: columns[name][index] for name in self.keys[2:]}

    def to(self, device: torch.device) -> "Examples":
        """The same examples on a device."""
        moved = self.with_columns(column.to(device) for column in self.columns)
        if moved.targets.device.type != "cpu":
            moved._on_cpu = self if self._on_cpu is None else self._on_cpu
        return moved


class _Rows(Sequence[Batch]):
    """The rows that a ``DataLoader`` asked for. Nothing is looked up until it is clear that they form one batch."""

    def __init__(self, examples: Examples, indices: Sequence[int]) -> None:
        self.examples, self.indices = examples, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        return self.examples[self.indices[index]]


def _collate(rows: Sequence[Batch], *, collate_fn_map: Mapping | None = None) -> Batch:
    """One batch of rows; a single look-up if they come straight from an ``Examples``."""
    if isinstance(rows, _Rows):
        return rows.examples.take(torch.tensor(rows.indices))
    inputs, targets = (torch.stack([row[part] for row in rows]) for part in (0, 1))
    keys = rows[0].keys()
    return Batch(inputs, targets, lambda: {key: default_collate([row[key] for row in rows]) for key in keys[2:]}, keys)


# PyTorch's own extension point for new types of samples. Unlike a collate_fn, it reaches the loaders that a submission
# builds over `retain.dataset`, whatever wraps it (Subset, ConcatDataset).
default_collate_fn_map[Batch] = _collate


def split_into_batches(rows: Tensor, size: int) -> list[Tensor]:
    """Split rows into batches of ``size``. A single trailing row joins the batch before it.

    Batch norm cannot train on a batch of one, so no batch has one row unless there is only one row in all.
    """
    batches = list(rows.split(size)) if len(rows) else []
    if len(batches) > 1 and len(batches[-1]) == 1 < size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


class ExampleLoader(DataLoader[Batch]):
    """A ``DataLoader`` over an ``Examples`` that looks up many batches at once and deals slices of them.

    Each pass draws its order from torch's global generator. No example is left out: the last batch may be smaller, or
    one larger, because a single trailing example joins the batch before it.
    """

    def __init__(self, examples: Examples, batch_size: int = BATCH_SIZE, shuffle: bool = True) -> None:
        # A set that is only described has nothing to shuffle, which PyTorch's sampler refuses.
        super().__init__(examples, batch_size=batch_size, shuffle=shuffle and len(examples) > 0)
        self.examples, self.rows, self.shuffled = examples, batch_size, shuffle

    def __len__(self) -> int:
        full, rest = divmod(len(self.examples), self.rows)
        return full + (rest > 1 or (full == 0 and rest == 1))

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        size = len(self.examples)
        order = torch.randperm(size) if self.shuffled else torch.arange(size)
        batches = split_into_batches(order.to(self.examples.targets.device), self.rows)
        for start in range(0, len(batches), BATCHES_PER_LOOKUP):
            some = batches[start : start + BATCHES_PER_LOOKUP]
            lengths = [len(index) for index in some]
            inputs, targets = self.examples.take(torch.cat(some))
            for piece, wanted, index in zip(inputs.split(lengths), targets.split(lengths), some, strict=True):
                yield Batch(piece, wanted, partial(self.examples._rest, index), self.examples.keys)
