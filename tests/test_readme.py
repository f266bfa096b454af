"""The README files: what they link to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in ROOT.rglob("README.md") if "out" not in path.relative_to(ROOT).parts)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    missing = []
    for target in LINK.findall(page.read_text()):
        path, _, anchor = target.partition("#")
        there = (page.parent / path) if path else page
        if "://" in target:
            continue
        if not there.exists() or (anchor and anchor not in anchors(there)):
            missing.append(target)
    assert not missing


def test_the_pictures_are_small():
    pictures = [ROOT / target for target in LINK.findall((ROOT / "README.md").read_text()) if target.endswith(".png")]
    assert len(pictures) == 3
    assert sum(path.stat().st_size for path in pictures) <= 300_000
