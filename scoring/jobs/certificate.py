"""The runs behind a certificate: unlearning and retraining from the same seed, compared bit by bit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from scoring.jobs.job import Row
from scoring.jobs.own import OwnJob, by_id, ids_of, in_a_session
from scoring.judging.certificate import Certificate, State, first_difference, still_held
from scoring.untrusted.learning import Learning
from scoring.untrusted.sandbox import InPlace
from scoring.untrusted.session import Session
from starter_kit.task import Task
from starter_kit.training import Report, silent

Request = tuple[frozenset[int], ...]
"""The ids of the examples to forget, or of several such sets, one after the other."""

SEED_OF_REQUESTS = 0


def requests_of(task: Task) -> dict[str, Request]:
    """What a certificate tries: the task's request, a random one, another person's, and two in sequence."""
    forget, ids = ids_of(task.forget), sorted(ids_of(task.train))
    rng = np.random.default_rng(SEED_OF_REQUESTS)
    others = sorted(ids_of(task.retain))
    size = min(len(forget), len(others) // 2)
    found: dict[str, Request] = {"the task's": (forget,)}
    if size:
        found["random examples"] = (frozenset(rng.choice(ids, size, replace=False).tolist()),)
    forgotten = set(task.forget.person_id.tolist())
    for person in sorted(set(task.retain.person_id.tolist()) - forgotten):
        theirs = frozenset(task.retain.image_id[task.retain.person_id == person].tolist())
        # If nothing is left, there is nothing to retrain from.
        if len(theirs) <= len(others) // 2:
            found["another person's"] = (theirs,)
            break
    if size:
        then = frozenset(rng.choice(others, size, replace=False).tolist())
        found["two in sequence"] = (forget, then)
    return found


@dataclass(frozen=True, eq=False)
class CertificateJob(OwnJob):
    """Runs that unlearn, and runs that never saw the examples; a row says whether one pair has equal bits.

    Row ``i`` is seed ``i // requests`` and request ``i % requests``.
    """

    @cached_property
    def requests(self) -> dict[str, Request]:
        """The requests by name."""
        return requests_of(self.setting.task)

    @property
    def handed(self) -> Learning:
        """All training examples: some runs leave some of them out."""
        task = self.setting.task
        return Learning(self.submission, task.network, by_id(task.train), task.validation, self.setting.device)

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that compares pair ``index``."""
        task, requests = self.setting.task, list(self.requests.values())
        place = self.sandbox or InPlace(self.handed)
        asked = torch.cat([task.forget.inputs, task.validation.inputs])

        def state_of(session: Session) -> State:
            found = _arrays(session.state())
            return {**found, "what it answers": _arrays({"": session.answer("model", asked)})[""]}

        def unlearned(session: Session, index: int) -> State:
            number, request = divmod(index, len(requests))
            session.learn(self.setting.seed_of("certificate", 2 * number))
            for ids in requests[request]:
                # Not the seed used for learning: an exact method's result must not depend on this one.
                session.unlearn(self.setting.seed_of("certificate", 2 * number + 1), ids)
            return state_of(session)

        def retrained(session: Session, index: int) -> State:
            number, request = divmod(index, len(requests))
            session.learn(self.setting.seed_of("certificate", 2 * number), frozenset().union(*requests[request]))
            return state_of(session)

        def run(index: int) -> Row:
            def within(where: str, make: Callable[[Session, int], State]) -> State:
                at = f"{where} {index} of the certificate"
                made = in_a_session(self.submission, place, self.limit, at, lambda session: dict(make(session, index)))
                return made

            states = within("in unlearned model", unlearned), within("in retrained model", retrained)
            difference = first_difference(*states)
            if difference:
                forgotten = frozenset().union(*requests[index % len(requests)])
                held = still_held(*states, forgotten)
                difference += f"; {held} still holds ids of forgotten examples" if held else ""
            return {"difference": np.array(difference or ""), "tensors": np.array(len(states[0]))}

        return run

    def certificate(self, rows: Mapping[int, Row]) -> Certificate:
        """What the first rows of all seeds say, or those up to the first difference."""
        names, differing = list(self.requests), [index for index in sorted(rows) if str(rows[index]["difference"])]
        difference = None
        if differing:
            seed, request = divmod(differing[0], len(names))
            difference = f"with seed {seed} and request “{names[request]}”, {rows[differing[0]]['difference']}"
        seeds = -(-len(rows) // len(names))
        return Certificate(seeds, tuple(names), int(rows[min(rows)]["tensors"]), difference)


def _arrays(state: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors as arrays of the same bits: NumPy knows no bfloat16."""
    return {
        name: (value.view(torch.int16) if value.dtype == torch.bfloat16 else value).numpy()
        for name, value in state.items()
    }
