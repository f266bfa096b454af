"""The colours of both pools, as colour-blind people see them."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

CSS = Path("scoring/reports/page/page.css").read_text()
SCHEMES = {"light": CSS.split("@media")[0], "dark": CSS.split("@media")[1]}

# Machado, Oliveira and Fernandes 2009, full severity, on linear RGB.
SEEN = {
    "everybody": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = XYZ.sum(axis=1)
CLEARLY = 20
"""Of the distances in CIELAB, where 2.3 is just noticeable."""


def colour(scheme, name):
    digits = re.search(rf"--{name}: #([0-9a-f]+)", SCHEMES[scheme])[1]
    digits = digits if len(digits) == 6 else "".join(2 * one for one in digits)
    return np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)]) / 255


def linear(rgb):
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb, seen):
    relative = XYZ @ np.clip(np.array(seen) @ linear(rgb), 0, 1) / WHITE
    x, y, z = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("eyes", SEEN)
def test_pools_are_told_apart_by_everybody(scheme, eyes):
    seen = {name: lab(colour(scheme, name), SEEN[eyes]) for name in ("unlearned", "retrained", "other", "paper")}
    close = [pair for pair in combinations(seen, 2) if np.linalg.norm(seen[pair[0]] - seen[pair[1]]) < CLEARLY]
    assert not close


def test_red_and_green_would_not_be():
    """The check itself: these are the colours that many people confuse."""
    red, green = (lab(np.array(one), SEEN["deuteranopia"]) for one in ([0.75, 0.33, 0.2], [0.45, 0.5, 0.12]))
    assert np.linalg.norm(red - green) < CLEARLY
