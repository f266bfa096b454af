"""A notebook's title and id on Kaggle, checked against Kaggle's rules."""

import json
import re
from pathlib import Path

from starter_kit.errors import KaggleError

TITLE_LENGTHS = range(5, 51)


def title_and_slug(name: str) -> tuple[str, str]:
    """The title of a submission's notebook, and the slug, the second half of its id, which must match the title.

    Raises:
        KaggleError: Kaggle would reject them.
    """
    title = " ".join(["Unlearning", *name.replace("_", " ").split()])
    slug = _slug_of(title)
    if not name.isascii() or slug == "unlearning" or len(title) not in TITLE_LENGTHS:
        raise KaggleError(
            f"Kaggle would reject an id made from {name!r}. Expected a file name of letters a to z, digits and "
            f"underscores, and a title of at most {TITLE_LENGTHS[-1]} characters; found the title {title!r} with "
            f"{len(title)}. Rename the file."
        )
    return title, slug


def check_id(path: Path) -> tuple[str, str]:
    """The owner and the slug in the metadata at ``path``.

    Raises:
        KaggleError: the file holds no metadata, or Kaggle would reject the id or the title.
    """
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        found, title = metadata["id"], metadata["title"]
        owner, slug = found.split("/")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KaggleError(
            f"{path}: expected JSON with an id such as name/unlearning-mine and a title. Bundle the submission again."
        ) from error
    if not re.fullmatch("[A-Za-z0-9-]+", owner) or not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", slug):
        raise KaggleError(
            f"{path}: Kaggle would reject the id {found!r}. Expected owner/slug, with a slug of lower-case letters, "
            "digits and single hyphens. Bundle the submission again."
        )
    if len(title) not in TITLE_LENGTHS or _slug_of(title) != slug:
        raise KaggleError(
            f"{path}: Kaggle would reject the title {title!r} with the id {found!r}. Expected a title of "
            f"{TITLE_LENGTHS[0]} to {TITLE_LENGTHS[-1]} characters whose slug is {slug!r}; its slug is "
            f"{_slug_of(title)!r}. Bundle the submission again."
        )
    return owner, slug


def _slug_of(title: str) -> str:
    """The slug that Kaggle derives from a title."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
