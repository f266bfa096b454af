"""CIFAR-10 as in the challenge's starting kit: ResNet-18, and a random tenth of the training set to be forgotten.

Pictures are 3x32x32, normalised with the mean and the standard deviation of each channel. The test set is halved into
test and validation. The forget set is one fixed draw of ours, kept beside this file; put the starting kit's own
``forget_idx.npy`` into the data's folder, and that is used instead. The kit says nothing of how long its model was
trained; here it is as long as in the competition.
"""

from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import CIFAR10
from torchvision.models import resnet18

from starter_kit.augmentation import CropAndFlip
from starter_kit.batches import Examples
from starter_kit.tasks import DATA, Task, TaskError
from starter_kit.training import Recipe

CLASSES = 10
MEAN = (0.4914, 0.4822, 0.4465)
SPREAD = (0.2023, 0.1994, 0.2010)
BLACK = tuple(-mean / spread for mean, spread in zip(MEAN, SPREAD, strict=True))
"""What pictures are padded with: 0 before they are normalised."""

RECIPE = Recipe(
    "sgd", epochs=30, batch_size=128, learning_rate=0.1, weight_decay=5e-4, augmentation=CropAndFlip(4, BLACK)
)
SPLIT_SEED = 0
OUR_FORGET_INDEX = Path(__file__).with_name("cifar10_forget_idx.npy")
SMALLEST = 200


def network() -> torch.nn.Module:
    """The starting kit's: torchvision's ResNet-18, with the stem that it has for ImageNet."""
    return resnet18(num_classes=CLASSES)


def task(size: int | None = None, data: Path = DATA / "cifar10") -> Task:
    """The first ``size`` training pictures, all if None, with a fifth as many held out; downloaded if not there.

    Raises:
        TaskError: the data set is not there, is damaged, or cannot be downloaded or written; or the size is no
            part of it that can be split.
    """
    training, held_out = _data_set(data, train=True), _data_set(data, train=False)
    total = len(training.targets)
    wanted = total if size is None else size
    if not min(SMALLEST, total) <= wanted <= total:
        raise TaskError(f"cifar10: expected from {SMALLEST} to {total} training pictures, found {size}")
    forget = np.isin(np.arange(wanted), _forget_index(data, total))
    if not 0 < forget.sum() < wanted:
        raise TaskError(f"cifar10: of the first {wanted} training pictures {forget.sum()} would be forgotten")
    order = np.random.default_rng(SPLIT_SEED).permutation(len(held_out.targets))[: wanted // 5]
    test, validation = np.split(order, [len(order) // 2])

    def examples(source: CIFAR10, index: np.ndarray, first_id: int) -> Examples:
        pictures = torch.tensor(source.data[index]).permute(0, 3, 1, 2) / 255
        mean, spread = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, SPREAD))
        identity = torch.tensor(index) + first_id
        # No person has two pictures.
        return Examples((pictures - mean) / spread, torch.tensor(source.targets)[index], identity, identity)

    return Task(
        name="cifar10" if size is None else f"cifar10:{size}",
        network=network,
        recipe=RECIPE,
        retain=examples(training, np.flatnonzero(~forget), 0),
        forget=examples(training, np.flatnonzero(forget), 0),
        validation=examples(held_out, validation, total),
        test=examples(held_out, test, total),
    )


def _data_set(data: Path, train: bool) -> CIFAR10:
    """One half of CIFAR-10, downloaded through torchvision and checked by its sums."""
    try:
        # torchvision asks for the archive even where its unpacked and checked content is there.
        try:
            return CIFAR10(data, train)
        except RuntimeError:
            return CIFAR10(data, train, download=True)
    except (OSError, EOFError, RuntimeError) as error:
        folder = data / CIFAR10.base_folder
        found = ", ".join(sorted(path.name for path in data.iterdir())) if data.is_dir() else ""
        raise TaskError(
            f"CIFAR-10 is not in {data}, and could not be put there: {error}. Expected the folder {folder}, unpacked "
            f"from {CIFAR10.filename} (MD5 {CIFAR10.tgz_md5}); found there: {found or 'nothing'}. On a machine without "
            f"a connection, fetch {CIFAR10.url} elsewhere, put it into {data}, and run the same again; DATA= names "
            "another folder. If it was cut off on its way, remove it first."
        ) from error


def _forget_index(data: Path, total: int) -> np.ndarray:
    """The positions to be forgotten: the starting kit's where its file lies beside the data, else ours."""
    theirs = data / "forget_idx.npy"
    path = theirs if theirs.exists() else OUR_FORGET_INDEX
    try:
        index = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise TaskError(f"{path}: expected an array of positions as np.save writes it; {error}") from error
    if index.ndim != 1 or index.dtype.kind not in "iu" or len(np.unique(index)) != len(index):
        raise TaskError(f"{path}: expected different whole numbers, found {index.dtype} of shape {index.shape}")
    if len(index) == 0 or index.min() < 0 or (path == theirs and index.max() >= total):
        raise TaskError(f"{path}: expected positions from 0 to {total - 1}")
    return index
