"""Submissions with other constants than those in their files."""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUBMISSIONS = ROOT / "submissions"
VARIANTS = ROOT / "out" / "variants"


@dataclass(frozen=True)
class Variant:
    """A submission with other constants.

    Attributes:
        name: the row's.
        of: the file.
        constants: the values of names at the top of the file.
    """

    name: str
    of: str
    constants: dict[str, float] = field(default_factory=dict)

    def written(self) -> Path:
        """Its file."""
        if not self.constants:
            return SUBMISSIONS / f"{self.of}.py"
        source = (SUBMISSIONS / f"{self.of}.py").read_text()
        for name, value in self.constants.items():
            source, found = re.subn(rf"^{name} = .*$", f"{name} = {value}", source, flags=re.MULTILINE)
            assert found == 1, f"{self.of}.py has no constant {name}"
        VARIANTS.mkdir(parents=True, exist_ok=True)
        path = VARIANTS / f"{self.name}.py"
        path.write_text(source)
        return path
