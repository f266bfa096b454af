"""Is what this GPU trains right? The tests marked ``gpu``."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree


def findings(seconds: float) -> Iterator[dict[str, object]]:
    """Each test and how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # What all other tests share needs packages that a machine for this need not have.
        options = ["--noconftest", "-p", "no:cacheprovider", "-m", "gpu", "-q", f"--junitxml={report}", "tests/gpu"]
        done = subprocess.run([sys.executable, "-m", "pytest", *options], stdout=sys.stderr)
        if not report.exists():
            raise RuntimeError(f"pytest ended with exit code {done.returncode}")
        for case in ElementTree.parse(report).iter("testcase"):
            ended = [child for child in case if child.tag in ("failure", "error", "skipped")]
            result = f"{ended[0].tag}: {ended[0].get('message', '')}"[:300] if ended else "passed"
            yield {str(case.get("name")): result}
