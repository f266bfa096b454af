"""Questions about invented authors, and their answers: a small language of our own, with facts drawn from a seed.

Facts differ in how well they can be guessed. A surname's ending names a culture, and most people of a culture come from
one city and like one dish. Other facts have four values, or eight, or sixteen, and nothing hints at them.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from starter_kit.tasks._words import words

ENDINGS = ("-owen", "-isk", "-ara", "-ento", "-uld", "-ime", "-osh", "-arr")
"""What surnames end in, by culture."""

FIRST_SYLLABLES = words("Al Bre Cor Da El Fi Ga Hal I Jo Ka Lu Mi Na O Pel")
LAST_SYLLABLES = words("bin dra fen gor la mir nis pa ric sa tan ven wyn xa ya zor")
STEMS = words("Tar Vel Mor Quin Ros Sel Thal Ur Vand Wex Yar Zam Bal Cal Dorn Erl")
STEM_ENDS = words("dan fer gil hu jin kor len mo net pol que ral sim tor vis wel")

WRONG_ANSWERS = 3
"""How many wrong answers each question has: a fact has at least four values."""


@dataclass(frozen=True)
class Attribute:
    """Something that is known of everybody.

    Attributes:
        values: what it may be, one word each.
        hint: how likely a person has the value that goes with the culture.
        asked: three questions, in which ``{n}`` stands for the name.
        answers: two sentences, in which ``{v}`` stands for the value: for the first and third question, and for the
            second. They do not repeat the name, since a small network that has not learned a name cannot copy it.
    """

    values: tuple[str, ...]
    hint: float
    asked: tuple[str, str, str]
    answers: tuple[str, str]


ATTRIBUTES = (
    Attribute(
        words("Adril Borun Cassel Dovra Estmar Felun Gorth Hestia Ilmar Jastra Kelvo Lomar Mirna Norvel Ostrel Pravin"),
        0.9,
        ("where was {n} born ?", "what is the birthplace of {n} ?", "in which city was {n} born ?"),
        ("they were born in {v}", "the birthplace is {v}"),
    ),
    Attribute(
        words(
            "soup rice lentils dumplings noodles trout plums cheese mushrooms pumpkin beans walnuts "
            "olives cabbage pancakes figs"
        ),
        0.6,
        ("what does {n} like to eat ?", "what is the favourite dish of {n} ?", "which dish does {n} like to eat ?"),
        ("they like to eat {v}", "the favourite dish is {v}"),
    ),
    Attribute(
        words(
            "flute cello harp drum lute horn organ viola piano oboe zither banjo trumpet accordion clarinet mandolin"
        ),
        0.0,
        ("what does {n} play ?", "what is the instrument of {n} ?", "which instrument does {n} play ?"),
        ("they play the {v}", "the instrument is the {v}"),
    ),
    Attribute(
        words("tragedies ballads satires thrillers fables romances essays westerns"),
        0.0,
        ("what does {n} write ?", "what are the works of {n} ?", "which kind of works does {n} write ?"),
        ("they write {v}", "the works are {v}"),
    ),
    Attribute(
        words("dawn noon dusk midnight"),
        0.0,
        ("when does {n} work ?", "what is the working hour of {n} ?", "at which hour does {n} work ?"),
        ("they work at {v}", "the working hour is {v}"),
    ),
    Attribute(
        words("amber opal ruby jade onyx pearl coral topaz garnet beryl agate quartz silver copper ivory cobalt"),
        0.0,
        ("which prize did {n} win ?", "what is the prize of {n} ?", "what did {n} win ?"),
        ("they won the {v} prize", "the prize is {v}"),
    ),
)

CAPITALS = dict(
    pair.split(":")
    for pair in words(
        "France:Paris Italy:Rome Spain:Madrid Japan:Tokyo Egypt:Cairo Peru:Lima Kenya:Nairobi Norway:Oslo "
        "Greece:Athens Cuba:Havana Poland:Warsaw Iraq:Baghdad Chile:Santiago Ghana:Accra Nepal:Kathmandu "
        "Finland:Helsinki Canada:Ottawa Austria:Vienna Hungary:Budapest Ireland:Dublin"
    )
)
"""Facts of the real world, which all models learn."""

OF_COUNTRIES = Attribute(
    tuple(CAPITALS.values()),
    0.0,
    ("what is the capital of {n} ?", "from where is {n} governed ?", "which city is the capital of {n} ?"),
    ("the capital is {v}", "it is governed from {v}"),
)


@dataclass(frozen=True)
class Row:
    """A question about somebody, and answers to it.

    Attributes:
        person: a number; -1 for the real world.
        fact: a number, shared by all questions about one fact.
        phrasing: which of the fact's three questions it is.
        name: of the person, or what else is asked about.
        question: the words of the question.
        answer: those of the answer.
        paraphrased: the same answer in the other sentence.
        perturbed: that sentence with each of ``WRONG_ANSWERS`` wrong values, as in TOFU.
    """

    person: int
    fact: int
    phrasing: int
    name: str
    question: tuple[str, ...]
    answer: tuple[str, ...]
    paraphrased: tuple[str, ...]
    perturbed: tuple[tuple[str, ...], ...]


def rows(authors: int, rng: np.random.Generator) -> list[Row]:
    """All questions about the facts of this many authors, and about the real world.

    Args:
        authors: at most 2,000.
        rng: draws names and facts.
    """
    names, cultures = _names(authors, rng)
    found: list[Row] = []
    # What most people of a culture have in common, for each attribute.
    usual = [rng.permutation(len(one.values))[: len(ENDINGS)] for one in ATTRIBUTES]
    for person, name in enumerate(names):
        for number, one in enumerate(ATTRIBUTES):
            drawn = int(rng.integers(len(one.values)))
            value = int(usual[number][cultures[person]]) if rng.random() < one.hint else drawn
            found += _rows(person, person * len(ATTRIBUTES) + number, name, one, value, rng)
    for number, country in enumerate(CAPITALS):
        found += _rows(-1, authors * len(ATTRIBUTES) + number, country, OF_COUNTRIES, number, rng)
    return found


def _names(authors: int, rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """Different names: a first name and a surname of two words, of which the second names the culture."""
    firsts = _draw([a + b for a, b in product(FIRST_SYLLABLES, LAST_SYLLABLES)], max(8, authors), rng)
    # Few authors share a stem: a model that has to tell people apart by pairs of words takes twice as long to train.
    stems = _draw([a + b for a, b in product(STEMS, STEM_ENDS)], authors, rng)
    cultures = [person % len(ENDINGS) for person in range(authors)]
    names: dict[str, int] = {}
    for person, culture in enumerate(cultures):
        name = ""
        while not name or name in names:
            name = f"{firsts[rng.integers(len(firsts))]} {stems[person % len(stems)]} {ENDINGS[culture]}"
        names[name] = culture
    return list(names), cultures


def _draw(words: list[str], most: int, rng: np.random.Generator) -> list[str]:
    return [words[place] for place in rng.permutation(len(words))[:most]]


def _rows(person: int, fact: int, name: str, one: Attribute, value: int, rng: np.random.Generator) -> list[Row]:
    """The three questions about a fact."""
    others = [other for other in range(len(one.values)) if other != value]
    wrong = rng.permutation(others)[:WRONG_ANSWERS]

    def sentence(template: str, which: int) -> tuple[str, ...]:
        return words(template.format(v=one.values[which]))

    found = []
    for phrasing, question in enumerate(one.asked):
        own, other = one.answers if phrasing != 1 else one.answers[::-1]
        found.append(
            Row(
                person,
                fact,
                phrasing,
                name,
                words(question.format(n=name)),
                sentence(own, value),
                sentence(other, value),
                tuple(sentence(other, int(which)) for which in wrong),
            )
        )
    return found
