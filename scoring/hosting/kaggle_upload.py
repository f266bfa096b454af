"""Create a competition on Kaggle from the folder that ``make host KIND=kaggle`` wrote, with Kaggle's own client.

The client creates the competition, its pages, its data and its solution. The metric is a notebook that only the site
can make, so that step and the launch are the organiser's.
"""

import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.hosting.texts import PAGES
from starter_kit.errors import KaggleError
from starter_kit.kaggle.client import NoAnswerError, Patience, RefusedError, call_patiently, kaggle_error

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

METADATA = "competition-metadata.json"
MARKDOWN = "text/markdown"
PAGE_NAMES = {"Overview": "description", "Data": "data-description", "Evaluation": "evaluation", "Rules": "rules"}
"""What Kaggle calls its pages."""


def metadata(title: str, slug: str) -> bytes:
    """The description of a competition that the client reads; private until its organiser changes that."""
    described = {
        "title": title,
        "slug": slug,
        "briefDescription": "Make a trained model forget some of its training examples.",
        "privacy": "PRIVATE",
        "disableKernels": False,
    }
    return json.dumps(described, indent=2).encode()


def create(folder: Path, slug: str, api: "KaggleApi", patience: Patience, say: Callable[[str], None]) -> str:
    """Create the competition with its pages, data, hidden data and solution.

    Args:
        folder: what ``make host KIND=kaggle`` wrote.
        slug: the competition's name in its URL.
        api: Kaggle's client, signed in.
        patience: how long to try again when Kaggle is busy.
        say: receives a line per step.

    Returns:
        The competition's URL.

    Raises:
        KaggleError: Kaggle refused a step. What was done before stays there, and the message says which step it was.
    """
    title = (folder / "README.md").read_text(encoding="utf-8").splitlines()[0].lstrip("# ").removesuffix(", on Kaggle")
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        (Path(place) / METADATA).write_bytes(metadata(title, slug))
        made = _step("create the competition", slug, patience, lambda: api.competition_create_new(place))
        say(f"Created {slug}.")
        for name, file in PAGES.items():
            page = folder / "pages" / file

            def create_page(name: str = name, page: Path = page) -> Any:
                return api.competition_create_page(slug, PAGE_NAMES[name], str(page), MARKDOWN, name, publish=True)

            _step(f"create the page {name}", slug, patience, create_page)
        say(f"Created {len(PAGES)} pages.")
        data = folder / "data"
        _step("upload the data", slug, patience, lambda: _upload(api, slug, data, rerun=False))
        # The hidden run gets the same data with the real test set.
        hidden = Path(place) / "data"
        shutil.copytree(data, hidden)
        shutil.copyfile(folder / "hidden/test.npz", hidden / "test.npz")
        _step("upload the hidden data", slug, patience, lambda: _upload(api, slug, hidden, rerun=True))
        say("Uploaded the data, and a copy with the real test set for the hidden runs.")
        solution = str(folder / "solution.csv")
        _step(
            "upload the solution", slug, patience, lambda: api.competition_create_solution(slug, solution, quiet=True)
        )
        say("Uploaded the solution.")
    return str(made.url)


def _upload(api: "KaggleApi", slug: str, folder: Path, rerun: bool) -> Any:
    return api.competition_data_update(slug, str(folder), "Made by make host.", rerun=rerun, quiet=True)


def _step(what: str, slug: str, patience: Patience, call: Callable[[], Any]) -> Any:
    """A call of the client, tried again while Kaggle is busy."""
    try:
        return call_patiently(patience, call)
    except (RefusedError, NoAnswerError) as error:
        raise KaggleError(f"Cannot {what}. {kaggle_error(error, slug, 'Do it on the site, or try again.')}") from error
