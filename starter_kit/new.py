"""``make new NAME=mine``: start a submission from the template."""

import keyword
from pathlib import Path

from starter_kit.errors import InputError, quoted

TEMPLATE = Path(__file__).with_name("template.py")
SUBMISSIONS = Path("submissions")

TAKEN = ("ceiling", "floor")
"""The rows of a comparison that are no submissions."""


def new(name: str, folder: Path = SUBMISSIONS, source: str | None = None) -> Path:
    """Write ``folder/name.py``: a copy of the template, or another text.

    Raises:
        InputError: the name is not a Python identifier or would be no row of a comparison, or the file exists or
            cannot be written.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InputError(
            f"NAME: expected letters, digits and underscores, not starting with a digit; found "
            f"'{quoted(name)}'. Try make new NAME=mine"
        )
    if name in TAKEN or name.startswith("_"):
        raise InputError(
            f"NAME: make compare has a row called {' and one called '.join(TAKEN)}, and leaves out names that begin "
            f"with an underscore; found '{quoted(name)}'. Try make new NAME=mine"
        )
    path = folder / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            template = TEMPLATE.read_text(encoding="utf-8").replace("submissions/NAME.py", str(path))
            file.write(template if source is None else source)
    except FileExistsError:
        raise InputError(f"{quoted(path)} already exists. Choose another NAME, or remove the file first.") from None
    except OSError as error:
        raise InputError(f"Cannot write {quoted(path)}: {error.strerror}.") from error
    return path
