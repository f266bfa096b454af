"""``python -m tests.pages.screenshots``: the pictures of pages in the README, from the newest report and leaderboard.

They show `make compare MODELS=64 SEEDS=0,1` of `prune_l1`, `weight_noise`, `finetune`, `gradient_ascent`, `simnpo`,
`random_labels`, `task_negation`, `ssd` and `identity`, and `make leaderboard`.
"""

from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.benchmarks.variants import ROOT
from tests.pages.conftest import CHROMIUM

FOLDER = Path(__file__).with_name("screenshots")
REPORT = ROOT / "out/reports/digits/seed-0/64-models/comparison/finetune/report.html"
LEADERBOARD = ROOT / "out/leaderboard/digits.html"
PARTS = {
    "score": (REPORT, "header", 320),
    "examples": (REPORT, "section[aria-labelledby=examples]", 560),
    "leaderboard": (LEADERBOARD, "body", 824),
}
"""The page, the part of it that is shown, and how much of its height."""

WIDTH, HEIGHT, ABOVE, COLOURS = 1180, 800, 16, 255


def main() -> None:
    """Write a picture of each part."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (path, selector, height) in PARTS.items():
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(path.as_uri())
            box = page.locator(selector).bounding_box()
            assert box is not None, f"{path} has no {selector}"
            picture = FOLDER / f"{name}.png"
            clip = {"x": 0, "y": max(0, box["y"] - ABOVE), "width": WIDTH, "height": height}
            page.screenshot(path=picture, clip=clip, full_page=True)
            with Image.open(picture) as image:
                image.convert("RGB").quantize(COLOURS).save(picture, optimize=True)
            print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
