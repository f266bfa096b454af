"""The two kinds of run that the notebook can be in."""

from starter_kit.batches import BATCH_SIZE, Examples
from starter_kit.kaggle.cells.budgets import check_disk, check_time, in_words
from starter_kit.kaggle.cells.data import made_examples, read_examples
from starter_kit.kaggle.cells.model import check_architecture, checkpoint_of, submission_in, unlearned
from starter_kit.kaggle.cells.places import CHECK_EVERY, CLASSES, FIRST_CHECK, OFFICIAL_MODELS, Run  # isort: split

# %% [markdown]
# ## The runs
# Where `empty.txt` lies in the input folder, this is the run that saves the notebook, and an empty `submission.zip`
# is all that is asked for. It tries the submission once on made data all the same, so that a typo is found before a
# submission is spent. Otherwise this is the run that counts.


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
    """The competition's name for a model's file."""
    return folder / f"unlearned_checkpoint_{index}.pth"


def empty(folder: Path) -> None:
    """Make the folder if need be, and remove what an earlier run left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def save_run(run: Run, file: Path, sha256: str) -> None:
    """Try the submission on noise, and leave an empty `submission.zip`."""
    original = resnet18(weights=None, num_classes=CLASSES).state_dict()
    sets: list[Examples] = [
        made_examples(count, run.device) for count in (3 * BATCH_SIZE // 2, BATCH_SIZE // 2, BATCH_SIZE // 2)
    ]
    began = time.monotonic()
    net = unlearned(submission_in(file, sha256), original, sets, index=0)
    # Noise may drive an honest method to infinity, so that only the architecture is checked here.
    check_architecture(net, original)
    print(f"Save run: unlearning runs, {time.monotonic() - began:.1f} s on {len(sets[0])} made examples.")
    (run.working / "submission.zip").write_bytes(b"")


def rerun(run: Run, file: Path, sha256: str) -> None:
    """Make the models, each from a fresh copy of the original, and zip their checkpoints."""
    sets: list[Examples] = [read_examples(run.input, name, run.device) for name in ("retain", "forget", "validation")]
    print("Examples:", ", ".join(f"{len(examples)}" for examples in sets), "to retain, to forget, to validate")
    original = torch.load(run.input / "original_model.pth", map_location="cpu", weights_only=True)
    empty(run.temporary)
    state = checkpoint_of(resnet18(weights=None, num_classes=CLASSES), original, run.half_precision)
    bytes_each = float(sum(value.nbytes for value in state.values()))
    # Half-precision weights hardly shrink, so they are only stored in the zip.
    check_disk(run, bytes_each, bytes_each if run.half_precision else None, run.models)
    began = time.monotonic()
    for index in range(run.models):
        net = unlearned(submission_in(file, sha256), original, sets, index)
        torch.save(checkpoint_of(net, original, run.half_precision), checkpoint_file(run.temporary, index))
        done = index + 1
        if done == FIRST_CHECK or done % CHECK_EVERY == 0:
            check_time(run, began, done, time.monotonic())
            saved = checkpoint_file(run.temporary, index).read_bytes()
            zipped = len(saved) if run.half_precision else len(zlib.compress(saved))
            check_disk(run, len(saved), zipped, run.models - done)
    zip_checkpoints(run)
    size = (run.working / "submission.zip").stat().st_size
    took = in_words(time.monotonic() - run.started)
    print(f"{run.models} models in {took}; submission.zip has {size / 1e9:.2f} GB")


def zip_checkpoints(run: Run) -> None:
    """Put exactly the checkpoints of this run into `submission.zip`, under the names of the competition's zip."""
    expected = [checkpoint_file(run.temporary, index) for index in range(run.models)]
    found = sorted(run.temporary.iterdir())
    if found != sorted(expected):
        strange = sorted(path.name for path in {*found} ^ {*expected})[0]
        raise RuntimeError(
            f"Expected exactly {run.models} checkpoints in {run.temporary}, found {len(found)} files; the first to be "
            f"missing or too many is {strange}. A submission must not write there."
        )
    compression = zipfile.ZIP_STORED if run.half_precision else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(run.working / "submission.zip", "w", compression) as archive:
        for path in expected:
            archive.write(path, f"kaggle/tmp/{path.name}")


def follow_the_protocol(competition: str, file: str, sha256: str, half_precision: bool) -> None:
    """The whole of it, for the submission in `file`."""
    root = os.environ.get("REHEARSAL_ROOT")
    run = Run(
        root=Path(root or "/kaggle"),
        competition=competition,
        models=int(os.environ.get("REHEARSAL_MODELS", OFFICIAL_MODELS)) if root else OFFICIAL_MODELS,
        rehearsal=root is not None,
        half_precision=half_precision,
    )
    if run.device == "cpu" and not run.rehearsal:
        raise RuntimeError("This notebook has no GPU, and would fail. Choose one under Settings, Accelerator.")
    # A submission may change the working folder.
    source = Path(file).resolve()
    if (run.input / "empty.txt").exists():
        save_run(run, source, sha256)
    else:
        rerun(run, source, sha256)
