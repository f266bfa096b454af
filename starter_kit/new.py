"""``make new NAME=mine``: begin a submission of one's own from the template."""

import keyword
import sys
from pathlib import Path

TEMPLATE = Path(__file__).with_name("template.py")
SUBMISSIONS = Path("submissions")


def new(name: str, folder: Path = SUBMISSIONS) -> Path:
    """Copy the template to ``folder/name.py``.

    Raises:
        ValueError: the name is no Python identifier, or the file exists.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(
            f"NAME: expected letters, digits and underscores, not beginning with a digit; found {name!r}. "
            "Try make new NAME=mine"
        )
    path = folder / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.read_text(encoding="utf-8").replace("submissions/NAME.py", str(path)))
    except FileExistsError:
        raise ValueError(f"{path} is there already. Choose another NAME, or remove it first.") from None
    return path


if __name__ == "__main__":
    try:
        path = new(sys.argv[1])
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"Wrote {path}. Edit it, then: make score SUBMISSION={path}")
