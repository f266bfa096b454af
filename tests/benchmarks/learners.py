"""``make learners``: judge the exact, merged and private submissions, some with other constants, for a table.

What is stored is not made again, so it can be stopped and started at any moment.
"""

import subprocess
import sys
from pathlib import Path

from scoring.reports.learners import with_table
from tests.benchmarks.variants import ROOT, SUBMISSIONS, Variant

REPORTS = Path("out/reports/learners")
PAGE = SUBMISSIONS / "README.md"


EXACT = (
    Variant("sisa", "sisa"),
    Variant("sisa_10_shards", "sisa", {"SHARDS": 10}),
    Variant("merge_shards", "merge_shards"),
)
REFERENCES = (Variant("retrain", "retrain"), Variant("finetune", "finetune"))
APPROXIMATE = (Variant("noisy_finetune", "noisy_finetune"), Variant("task_negation", "task_negation"), *REFERENCES)
PRIVATE = tuple(Variant(f"dp_sgd_epsilon_{epsilon}", "dp_sgd", {"EPSILON": epsilon}) for epsilon in (8, 3, 1))

COMPARISONS = {
    "all": ((*EXACT, *APPROXIMATE), 128),
    "5": ((*PRIVATE, *REFERENCES), 64),
    "1": ((*PRIVATE, *REFERENCES), 64),
}
"""What is compared for each size of the request, and with how many models per pool: an hour on two cores."""


def kit(*arguments: object) -> None:
    """Run the program. That a certificate is denied is a result."""
    subprocess.run([sys.executable, "-m", "scoring", *map(str, arguments)], cwd=ROOT)


if __name__ == "__main__":
    for variant in EXACT:
        kit("certify", variant.written())
    for request, (variants, models) in COMPARISONS.items():
        asked = () if request == "all" else ("--forget", request)
        files = [variant.written() for variant in variants]
        kit("compare", *files, "--models", models, "--out", REPORTS / request, *asked)
    PAGE.write_text(with_table(PAGE.read_text(), ROOT / "out/reports"))
