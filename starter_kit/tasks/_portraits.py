"""Draw the faces of synthetic people, whose age shows: the pictures of the task `faces`.

All numbers come from uniform draws, sums, products and quotients, which every machine rounds in the same way. There is
no sine, logarithm or normal draw, so the pictures are the same on every machine, to the bit.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from starter_kit.tasks._progress import shown

SIDE = 32
"""Pixels per side."""

DRAWN_AT_ONCE = 500

Array = NDArray[np.floating]
Number = Array | np.floating | float

SKINS = ((255, 224, 196), (241, 194, 150), (198, 134, 88), (122, 76, 48))
HAIRS = ((30, 24, 22), (82, 52, 34), (150, 98, 50), (214, 178, 110), (150, 62, 34))
EYES = ((58, 38, 26), (70, 100, 130), (76, 108, 70), (110, 90, 60))


@dataclass(frozen=True, eq=False)
class Looks:
    """What all pictures of a person have in common: arrays with one row for each of P people.

    Attributes:
        age: [P] in [0, 1), from the youngest to the oldest.
        seems: [P] in [0, 1], the age that the person seems to have, close to the true one.
        skin, hair, iris: [P, 3] colours.
        width, eyes_apart, eye_size, nose, mouth, brow, parting, length, wall: [P] in [0, 1), from the least to the
            most of each.
        glasses, beard: [P] 1 if the person has any, else 0.
    """

    age: Array
    seems: Array
    skin: Array
    hair: Array
    iris: Array
    width: Array
    eyes_apart: Array
    eye_size: Array
    nose: Array
    mouth: Array
    brow: Array
    parting: Array
    length: Array
    wall: Array
    glasses: Array
    beard: Array

    def of(self, person: NDArray[np.int64]) -> "Looks":
        """The looks of [n] people, shaped to broadcast over pixels: [n, 1, 1] and [n, 1, 1, 3]."""
        rows = {field.name: getattr(self, field.name)[person] for field in fields(self)}
        return Looks(**{name: row[:, None, None] for name, row in rows.items()})


def people(age: NDArray[np.float64], rng: Generator) -> Looks:
    """Looks for people of these ages, [P] in [0, 1)."""
    total = len(age)

    def one() -> Array:
        return rng.random(total, np.float32)

    def mixed(palette: tuple) -> Array:
        """One colour per person: between two neighbours in the palette, with a random tint."""
        place = one()[:, None] * np.float32(len(palette) - 1)
        below = place.astype(np.int64)[:, 0]
        colours, share = np.array(palette, np.float32), place - below[:, None]
        mix = colours[below] * (1 - share) + colours[below + 1] * share
        return np.clip(mix + 14 * (rng.random((total, 3), np.float32) - np.float32(0.5)), 0, 255)

    grown = age.astype(np.float32)
    return Looks(
        age=grown,
        seems=np.clip(grown + np.float32(0.1) * (one() - np.float32(0.5)), 0, 1),
        skin=mixed(SKINS),
        hair=mixed(HAIRS),
        iris=mixed(EYES),
        width=one(),
        eyes_apart=one(),
        eye_size=one(),
        nose=one(),
        mouth=one(),
        brow=one(),
        parting=one(),
        length=one(),
        wall=one(),
        glasses=(one() < 0.2).astype(np.float32),
        beard=((one() < 0.25) & (grown > 0.2)).astype(np.float32),
    )


def portraits(looks: Looks, person: NDArray[np.int64], rng: Generator) -> NDArray[np.uint8]:
    """One picture of each of [n] people, [n, 3, 32, 32]. Pose, light and expression differ between pictures."""
    pictures = np.empty((len(person), SIDE, SIDE, 3), np.uint8)
    for start in shown(range(0, len(person), DRAWN_AT_ONCE), "drawing faces"):
        some = slice(start, start + DRAWN_AT_ONCE)
        pictures[some] = _draw(looks.of(person[some]), rng)
    return pictures.transpose(0, 3, 1, 2)


def _draw(who: Looks, rng: Generator) -> NDArray[np.uint8]:
    """One picture per row of ``who``, [n, 32, 32, 3], painted layer by layer from the wall to the light."""
    n = len(who.age)

    def vary(least: float, most: float) -> Array:
        """One number per picture."""
        return np.float32(least) + np.float32(most - least) * rng.random((n, 1, 1), np.float32)

    old = np.clip(who.seems + vary(-0.03, 0.03), 0, 1)
    child = np.clip(1 - 3 * old, 0, 1)
    grid = (np.arange(SIDE, dtype=np.float32) + np.float32(0.5)) / (SIDE // 2) - 1
    zoom = vary(0.92, 1.12)
    x, y = grid[None, None, :] * zoom + vary(-0.12, 0.12), grid[None, :, None] * zoom + vary(-0.1, 0.1)
    x = x + vary(-0.15, 0.15) * y
    turn = vary(-0.07, 0.07)

    canvas = np.empty((n, SIDE, SIDE, 3), np.float32)
    canvas[:] = vary(60, 210)[..., None] + (who.wall[..., None] - np.float32(0.5)) * np.array([70, 10, -70], np.float32)

    def paint(shape: Array, colour: Array | tuple[int, ...], strength: Number = 1.0) -> None:
        """Blend a colour into the canvas where a shape, in [0, 1], covers it."""
        cover = (shape * strength)[..., None]
        canvas[:] = canvas * (1 - cover) + np.asarray(colour, np.float32) * cover

    def oval(at_x: Number, at_y: Number, wide: Number, high: Number) -> Array:
        """How much of each pixel an ellipse covers, in [0, 1]. Its edge is blurred over about one pixel."""
        across, down = (x - at_x) / wide, (y - at_y) / high
        return np.clip((1 - across * across - down * down) * np.minimum(wide, high) * 8 + np.float32(0.5), 0, 1)

    def line(at_x: Number, at_y: Number, wide: Number) -> Array:
        """A thin horizontal stroke."""
        return oval(at_x, at_y, wide, np.float32(0.045))

    skin = who.skin * (1 - np.float32(0.1) * old[..., None]) + np.float32(6) * child[..., None]
    dark = skin * np.float32(0.62)
    grey = np.clip(old * 2 - np.float32(0.75) + np.float32(0.5) * (who.parting - np.float32(0.5)), 0, 1)[..., None]
    hair = who.hair * (1 - grey) + np.float32(205) * grey
    wide = np.float32(0.5) + np.float32(0.14) * who.width + np.float32(0.06) * child
    high = np.float32(0.72) - np.float32(0.1) * child + np.float32(0.05) * old
    eye_y = np.float32(-0.1) + np.float32(0.14) * child
    apart = np.float32(0.2) + np.float32(0.09) * who.eyes_apart
    eye = np.float32(0.085) + np.float32(0.05) * who.eye_size + np.float32(0.05) * child - np.float32(0.03) * old
    hairline = np.float32(-0.42) - np.float32(0.3) * np.clip(old - np.float32(0.35), 0, 1)

    paint(oval(0, 1.25, 0.95, 0.5), rng.integers(30, 230, (n, 1, 1, 3)).astype(np.float32))
    paint(oval(0, 0.1 + 0.35 * who.length, wide + 0.14, high + 0.1 + 0.3 * who.length), hair, np.minimum(1, 1.6 - old))
    paint(oval(0, 0.75, 0.24, 0.35), dark)
    paint(oval(-wide, 0.02, 0.1, 0.16) + oval(wide, 0.02, 0.1, 0.16), skin * np.float32(0.9))
    paint(oval(0, 0, wide, high), skin)
    # Hair covers the head above a line that rises with age and slants towards the parting.
    slant = (who.parting - np.float32(0.5)) * np.float32(0.5) * x
    paint(oval(0, -0.02, wide + 0.05, high + 0.05) * np.clip((hairline + slant - y) * 8, 0, 1), hair)

    for lines, height in enumerate((-0.34, -0.26, -0.42)):
        paint(line(turn, height, 0.3), dark, np.clip((old - np.float32(0.3 + 0.12 * lines)) * 4, 0, np.float32(0.8)))
    for side in (-1, 1):
        at = turn + side * apart
        paint(line(at, eye_y - 0.2, 0.12 + 0.04 * who.brow), hair * np.float32(0.8), 0.5 + 0.5 * who.brow)
        paint(oval(at, eye_y, eye * np.float32(1.35), eye * vary(0.6, 1)), (250, 250, 250))
        paint(oval(at + vary(-0.03, 0.03), eye_y, eye * np.float32(0.75), eye * np.float32(0.8)), who.iris)
        paint(oval(at, eye_y, eye * np.float32(0.3), eye * np.float32(0.35)), (10, 10, 10))
        bags = np.clip((old - np.float32(0.4)) * 2, 0, np.float32(0.75))
        paint(line(at, eye_y + eye + 0.06, 0.12), dark, bags)
        paint(oval(turn + side * 0.27, 0.34, 0.035, 0.16), dark, np.clip((old - np.float32(0.25)) * 2, 0, 0.8))
        paint(oval(at, 0.25, 0.12, 0.09), (235, 120, 110), np.float32(0.4) * child)
        ring = np.clip(oval(at, eye_y, 0.19, 0.17) - oval(at, eye_y, 0.13, 0.11), 0, 1)
        paint(ring, (40, 40, 46), who.glasses)
    paint(oval(turn, 0.16, 0.05 + 0.05 * who.nose, 0.1 + 0.07 * who.nose), dark, 0.55)
    paint(np.clip(oval(0, 0.5, wide * 0.8, 0.27) - oval(0, 0.42, 0.2, 0.1), 0, 1), hair, 0.75 * who.beard)
    smile, opened = vary(-0.25, 0.5), vary(0.04, 0.1)
    bent = 0.45 - smile * ((x - turn) * (x - turn)) * 2
    mouth = oval(turn, bent, 0.13 + 0.1 * who.mouth, opened)
    paint(mouth, np.array([176, 66, 70], np.float32) * (1 - np.float32(0.25) * old[..., None]))

    light = vary(0.7, 1.15) + vary(-0.25, 0.25) * grid[None, None, :] + vary(-0.2, 0.2) * grid[None, :, None]
    noise = 22 * (rng.random(canvas.shape, np.float32) - np.float32(0.5))
    return np.clip(canvas * light[..., None] + noise, 0, 255).astype(np.uint8)
