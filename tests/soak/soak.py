"""Programs on one store that are started, killed and started again, and what they owe after each end."""

import random
import re
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.kills import ENDS, WEIGHTS, kill, left_in_writing
from tests.soak.program import SUBMISSIONS, Awake, Program, describe, end, start
from tests.soak.rows import Ledger, report_in

LEFT_ALONE = 4
"""How often, for every hundred kills, a program is left alone until it ends: one that hangs would never show else."""

TWO, DAMAGED, REMOVED = 0.3, 0.5, 0.6
"""How likely it is that two programs are started at once, and that rows are damaged or removed before."""

LONGEST = 600.0
"""Seconds that a program may take that is left alone."""

GIVEN_UP = ("lost its worker 3 times", "its process was killed 3 times, though memory did not run out")
"""What a program says that ends because all attempts at one row were killed."""


@dataclass
class Soak:
    """A soak and its figures.

    Attributes:
        ledger: the store, and what must be in it.
        reports: what undisturbed runs reported, by submission.
        folder: for everything.
        mark: what the marks of all programs begin with.
        moments: decides everything that is random.
        kills: SIGKILLs by kind.
        figures: what else is counted.
        failures: promises that were broken, one sentence each.
        slowest: the longest time in seconds until all processes of a program had ended.
        running: the programs that have not ended.
    """

    ledger: Ledger
    reports: dict[str, dict]
    folder: Path
    mark: str
    moments: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    running: list[Program] = field(default_factory=list)
    told: set[Path] = field(default_factory=set)

    def until(self, kills: int) -> None:
        """Go on until so many kills have hit."""
        for folder in (self._temporary, self.ledger.store):
            folder.mkdir()
        begun = said = time.monotonic()
        while (made := self.kills.total()) < kills:
            if not self.running:
                self._begin()
            if self.moments.random() < LEFT_ALONE / 100:
                self._leave_alone()
            else:
                self._kill_one()
            if time.monotonic() > said + 60:
                said = time.monotonic()
                say(f"{(said - begun) / 60:.0f} min: {made} kills, {self.figures['starts']} starts, {self._short()}")

    def finish(self) -> None:
        """Let the programs end, and run each submission once more. Nobody disturbs them."""
        if self.running:
            self._leave_alone()
        for submission in SUBMISSIONS:
            self._start(submission)
            completed = self.figures["completed"]
            self._leave_alone()
            if self.figures["completed"] == completed:
                self.wrong(f"{submission} does not complete although nobody disturbs it any more")

    def wrong(self, sentence: str) -> None:
        """A promise is broken."""
        self.failures.append(sentence)
        say(f"BROKEN: {sentence}")

    def left(self) -> dict[str, int]:
        """The files and folders that killed programs left behind outside the store, by kind."""
        kinds = Counter(re.sub(r"^(run|pymp|tmp).*", r"\1-*", path.name) for path in self._temporary.iterdir())
        kinds["temporary files beside reports"] = len(list(self.folder.glob("report-*/.*.tmp")))
        kinds["temporary files in the store"] = len(list(self.ledger.store.glob("*/.*.tmp")))
        return dict(kinds)

    @property
    def _temporary(self) -> Path:
        return self.folder / "temporary"

    def _short(self) -> str:
        names = ("completed", "into_writing", "given_up")
        return ", ".join(f"{self.figures[name]} {name.replace('_', ' ')}" for name in names)

    def _begin(self) -> None:
        """Start one program or two on the store, some of whose rows may be damaged or gone."""
        if self.moments.random() < REMOVED:
            self.figures["rows_removed"] += self.ledger.remove(self.moments)
        if self.moments.random() < DAMAGED:
            self.figures["bits_flipped"] += self.ledger.damage(self.moments, self.moments.randint(1, 5))
        for _ in range(2 if self.moments.random() < TWO else 1):
            self._start(self.moments.choice(SUBMISSIONS))
        self.figures["two_at_once"] += len(self.running) == 2

    def _start(self, submission: str) -> None:
        self.figures["starts"] += 1
        number = self.figures["starts"]
        out = self.folder / f"report-{number}"
        self.running.append(start(submission, self.ledger.store, out, self._temporary, f"{self.mark}-{number}."))

    def _kill_one(self) -> None:
        one = self.moments.choice(self.running)
        kind = self.moments.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        there = self.ledger.complete()
        hit = kill(one, kind, self.ledger.store, self.moments)
        if hit:
            self.kills[kind] += 1
            one.hits.append(kind)
            if kind in ENDS:
                self._wait_for(one, 30.0)
        self._look(there)

    def _leave_alone(self) -> None:
        for one in self.running:
            self._wait_for(one, LONGEST)
        self.figures["left_alone"] += 1
        self._look(self.ledger.complete())

    def _wait_for(self, one: Program, most: float) -> None:
        awake = Awake()
        while one.process.poll() is None and awake.seconds() < most:
            time.sleep(0.02)
        if one.process.poll() is None:
            self.wrong(f"{one.submission} has not ended after {most:g} seconds: {_last_words(one)}")
            end(one.mark)
            one.process.wait()

    def _look(self, there: set[Path]) -> None:
        """What is owed at any time, and by those that have ended.

        Args:
            there: rows that were complete before the last kill.
        """
        for one in self.running:
            for index, folder in re.findall(r"row (\d+) in (\S+) is damaged; it is made again", one.said.read_text()):
                self.told.add(Path(folder) / f"{int(index):05d}.row")
        for one in [one for one in self.running if one.process.poll() is not None]:
            self.running.remove(one)
            self._ended(one)
        repaired, wrong = self.ledger.check(there)
        for sentence in wrong:
            self.wrong(sentence)
        for path in repaired:
            self.figures["damaged_rows_made_again"] += 1
            if path not in self.told:
                self.wrong(f"{path} was damaged and nobody said so")
            self.told.discard(path)

    def _ended(self, one: Program) -> None:
        """What a program owes that has ended."""
        self.figures["into_writing"] += bool(left_in_writing(one, self.ledger.store))
        gone = one.seconds_until_gone()
        if gone is None:
            left = ", ".join(map(describe, one.processes()))
            self.wrong(f"processes outlive {one.submission}, which ended with {one.process.returncode}: {left}")
            end(one.mark)
        self.slowest = max(self.slowest, gone or 0.0)
        said = one.said.read_text()
        if "Traceback" in said:
            self.wrong(f"a traceback: {_last_words(one)}")
        match one.process.returncode:
            case 0:
                self.figures["completed"] += 1
                if report_in(one.out) != self.reports[one.submission]:
                    self.wrong(f"{one.submission}: its report differs from that of the undisturbed run")
            case -9:
                self.figures["killed"] += 1
            case 1 if any(sentence in said for sentence in GIVEN_UP):
                self.figures["given_up"] += 1
            case code:
                self.wrong(f"{one.submission} ended with exit code {code}: {_last_words(one)}")
        if not left_in_writing(one, self.ledger.store):
            shutil.rmtree(one.out, ignore_errors=True)


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def _last_words(one: Program) -> str:
    """What it said last, and which kills had hit it."""
    return f"{one.said.read_text()[-2000:].strip()!r} (after kills of {', '.join(one.hits) or 'nobody'})"
