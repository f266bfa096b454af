"""A competition for Kaggle: the metric, the tables it needs, the data, and the pages."""

import csv
import io
from pathlib import Path

import numpy as np

from scoring.hosting.plan import Competition, network_of
from scoring.hosting.public import KIT, arrays, files_below, public_files
from scoring.hosting.texts import PAGES, page
from scoring.judging.outputs import Outputs
from starter_kit.errors import InputError
from starter_kit.task import Task

ROW_ID = "id"
METRIC = "kaggle_metric.py"
KIT_OF_A_SCRIPT = ("starter_kit", "scoring/judging", "scoring/__init__.py")
"""What a participant's script needs of the kit: the network, the loaders, and what a confidence is."""


def files_for(competition: Competition) -> dict[str, bytes]:
    """What an organiser gets, by name.

    Raises:
        InputError: participants could not make the task's network.
    """
    here, bank = Path(__file__).parent, competition.bank
    importable(competition.task)
    public = public_files(competition, "kaggle")
    # While people write their notebooks, the validation set stands in for the test set, as long as it is hidden.
    data = public | {"test.npz": public["validation.npz"]}
    for name in KIT_OF_A_SCRIPT:
        # Kaggle's client cannot upload empty files; Python does not need those of a package.
        data |= {path: content for path, content in files_below(KIT / name, name).items() if content}
    original = Outputs.of_rows(bank.identity, [bank.original.answers], 1).take(np.zeros(len(bank.retrained), int))
    return {
        "README.md": page("kaggle_readme.md", competition, "kaggle").encode(),
        "metric.py": (here / METRIC).read_bytes(),
        "solution.csv": table(bank.retrained, usage=True),
        "sample_submission.csv": table(original),
        "starting_script.py": page("kaggle_script.py", competition, "kaggle").encode(),
        "hidden/test.npz": arrays(competition.task.test),
        **{f"data/{name}": content for name, content in data.items()},
        **{f"pages/{name}": page(name, competition, "kaggle").encode() for name in PAGES.values()},
    }


def importable(task: Task) -> tuple[str, str]:
    """What a notebook imports to make a task's network; see ``plan.network_of``.

    Raises:
        InputError: it has no name to import it by.
    """
    found = network_of(task)
    if found is None:
        raise InputError(
            f"The network of {task.name} cannot be created from its name alone, so a notebook cannot import it. Choose "
            "an image task, or KIND=codabench."
        )
    return found


def table(outputs: Outputs, usage: bool = False) -> bytes:
    """The answers of models as a CSV file for the metric: a row per model.

    Args:
        outputs: of the models.
        usage: whether to say which rows count for the public and which for the private leaderboard: half each.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    examples = [f"example_{number}" for number in range(outputs.forget_confidence.shape[1])]
    writer.writerow([ROW_ID, *examples, "retain_accuracy", "test_accuracy", *(["Usage"] if usage else [])])
    for row in range(len(outputs)):
        answers = [*outputs.forget_confidence[row], outputs.retain_accuracy[row], outputs.test_accuracy[row]]
        writer.writerow([row, *map(float, answers), *([("Public", "Private")[row % 2]] if usage else [])])
    return text.getvalue().encode()
