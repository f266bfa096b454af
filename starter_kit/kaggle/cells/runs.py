"""The notebook's two kinds of run: the one that saves it, and the one that is judged."""

from starter_kit.examples import BATCH_SIZE, Examples
from starter_kit.kaggle.cells.budgets import check_disk, check_time, duration
from starter_kit.kaggle.cells.data import read_examples, synthetic_examples
from starter_kit.kaggle.cells.model import check_architecture, checkpoint_of, load_unlearning, unlearned
from starter_kit.kaggle.cells.places import CHECK_EVERY, CLASSES, FIRST_CHECK, OFFICIAL_MODELS, Run  # isort: split

# %% [markdown]
# ## The runs
# If the input folder contains `empty.txt`, this is the run that saves the notebook. It only has to leave an empty
# `submission.zip`, but it also tries the submission once on synthetic data, so that a typo shows before a submission is
# spent. Otherwise this is the run that is judged.


# %%
import os
import shutil
import time
import zipfile
import zlib
from pathlib import Path

import torch
from torchvision.models import resnet18


def checkpoint_file(folder: Path, index: int) -> Path:
    """The file of a model's checkpoint, under the competition's name."""
    return folder / f"unlearned_checkpoint_{index}.pth"


def clear(folder: Path) -> None:
    """Create the folder if it does not exist, and remove everything in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def save_run(run: Run, file: Path, sha256: str) -> None:
    """Try the submission on noise, and write an empty `submission.zip`."""
    original = resnet18(weights=None, num_classes=CLASSES).state_dict()
    sets: list[Examples] = [
        synthetic_examples(count, run.device) for count in (3 * BATCH_SIZE // 2, BATCH_SIZE // 2, BATCH_SIZE // 2)
    ]
    began = time.monotonic()
    net = unlearned(load_unlearning(file, sha256), original, sets, index=0)
    # A correct method may diverge on noise, so only the architecture is checked here.
    check_architecture(net, original)
    took = time.monotonic() - began
    print(f"Save run: unlearning works; it took {took:.1f} s on {len(sets[0])} synthetic examples to retain.")
    (run.working / "submission.zip").write_bytes(b"")


def rerun(run: Run, file: Path, sha256: str) -> None:
    """Unlearn all models, and zip their checkpoints."""
    sets: list[Examples] = [read_examples(run.input, name, run.device) for name in ("retain", "forget", "validation")]
    print("Examples: {} to retain, {} to forget, {} for validation".format(*map(len, sets)))
    original = torch.load(run.input / "original_model.pth", map_location="cpu", weights_only=True)
    clear(run.temporary)
    state = checkpoint_of(resnet18(weights=None, num_classes=CLASSES), original, run.half_precision)
    bytes_each = float(sum(value.nbytes for value in state.values()))
    # Half-precision weights hardly compress, so the zip stores them as they are.
    check_disk(run, bytes_each, bytes_each if run.half_precision else None, run.models)
    began = time.monotonic()
    for index in range(run.models):
        net = unlearned(load_unlearning(file, sha256), original, sets, index)
        torch.save(checkpoint_of(net, original, run.half_precision), checkpoint_file(run.temporary, index))
        done = index + 1
        if done == FIRST_CHECK or done % CHECK_EVERY == 0:
            check_time(run, began, done, time.monotonic())
            saved = checkpoint_file(run.temporary, index).read_bytes()
            zipped = len(saved) if run.half_precision else len(zlib.compress(saved))
            check_disk(run, len(saved), zipped, run.models - done)
    zip_checkpoints(run)
    size = (run.working / "submission.zip").stat().st_size
    took = duration(time.monotonic() - run.started)
    print(f"{run.models} models in {took}; submission.zip takes {size / 1e9:.2f} GB")


def zip_checkpoints(run: Run) -> None:
    """Zip exactly the checkpoints of this run into `submission.zip`, under the competition's paths."""
    expected = [checkpoint_file(run.temporary, index) for index in range(run.models)]
    found = sorted(run.temporary.iterdir())
    if found != sorted(expected):
        wrong = sorted(path.name for path in {*found} ^ {*expected})[0]
        raise RuntimeError(
            f"Expected exactly {run.models} checkpoints in {run.temporary}, found {len(found)} files. The first "
            f"missing or unexpected file is {wrong}. A submission must not write to this folder."
        )
    compression = zipfile.ZIP_STORED if run.half_precision else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(run.working / "submission.zip", "w", compression) as archive:
        for path in expected:
            archive.write(path, f"kaggle/tmp/{path.name}")


def run_protocol(competition: str, file: str, sha256: str, half_precision: bool) -> None:
    """Do all that the competition asks of a notebook, for the submission in `file`."""
    root = os.environ.get("REHEARSAL_ROOT")
    run = Run(
        root=Path(root or "/kaggle"),
        competition=competition,
        models=int(os.environ.get("REHEARSAL_MODELS", OFFICIAL_MODELS)) if root else OFFICIAL_MODELS,
        rehearsal=root is not None,
        half_precision=half_precision,
    )
    if run.device == "cpu" and not run.rehearsal:
        raise RuntimeError(
            "This notebook has no GPU and would run out of time. Choose one under Settings, Accelerator."
        )
    # A submission may change the current folder.
    source = Path(file).resolve()
    if (run.input / "empty.txt").exists():
        save_run(run, source, sha256)
    else:
        rerun(run, source, sha256)
