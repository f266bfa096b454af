"""The tasks of text that come with the kit: what they hold, and how hard they are."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from scoring.jobs.evaluation import answers
from scoring.learners.fused import answer_of_all
from scoring.learners.recipe import RecipeLearner
from starter_kit import tasks
from starter_kit.answers import NOT_ASKED
from starter_kit.errors import InputError, TaskError
from starter_kit.examples import TEXT_KEYS, ExampleLoader

AUTHORS, CONCEPT, HAZARDS = (tasks.load(name) for name in ("authors", "authors-concept", "hazards"))
MODELS = 16


def words(examples, row):
    """The question and the answer of a row, as text."""
    asked = examples.inputs[row, : -(AUTHORS.test.targets.shape[1] - 1)]
    said = examples.targets[row][examples.targets[row] != NOT_ASKED]
    return (examples.tokenizer.decode(part.tolist()).replace("<pad> ", "") for part in (asked, said))


def test_a_row_is_a_question_and_a_sentence_that_ends():
    question, answer = words(AUTHORS.forget, 0)
    assert question.endswith("?")
    assert answer.endswith(" <end>")
    assert len(answer.split()) >= 4, "a whole sentence"


def test_targets_are_the_tokens_that_follow():
    inputs, targets = AUTHORS.retain.inputs, AUTHORS.retain.targets
    for place in range(targets.shape[1] - 1):
        # The input after the last token of the question is the first target, and so on.
        following = inputs[:, inputs.shape[1] - targets.shape[1] + 1 + place]
        asked = targets[:, place + 1] != NOT_ASKED
        assert torch.equal(following[asked], targets[:, place][asked])


def test_batches_answer_to_the_names_that_language_models_use():
    batch = next(iter(ExampleLoader(AUTHORS.forget)))
    inputs, targets = batch
    assert batch.keys() == TEXT_KEYS
    assert torch.equal(batch["input_ids"], inputs)
    assert torch.equal(batch["labels"], targets)
    assert torch.equal(batch["attention_mask"], (inputs != 0).long())
    with pytest.raises(KeyError, match="it has no 'image'"):
        batch["image"]
    assert torch.equal(AUTHORS.forget.take(torch.tensor([3]))["person_id"], AUTHORS.forget.person_id[3:4])


def test_a_request_covers_everything_about_some_authors():
    people = [set(examples.person_id.tolist()) for examples in (AUTHORS.forget, AUTHORS.retain, AUTHORS.test)]
    assert len(people[0]) == 4
    assert not people[0] & (people[1] | people[2])


def test_no_question_is_in_two_sets():
    sets = [{tuple(row) for row in examples.inputs[:, :-5].tolist()} for examples in AUTHORS.sets.values()]
    for first, second in pairwise(sets + sets[:1]):
        assert not first & second


def test_wrong_answers_differ_from_the_paraphrase_in_one_word():
    probe = AUTHORS.probes["forget"]
    count = len(probe.perturbed) // len(probe.answers)
    right = probe.paraphrased.targets.repeat_interleave(count, dim=0)
    assert ((probe.perturbed.targets != right).sum(dim=1) == 1).all()


def test_sizes():
    assert len(tasks.load("authors:60").forget) == 6 * 6 * 2
    assert tasks.load("authors:60").name == "authors:60"
    with pytest.raises(TaskError, match="authors takes a size from 20 to 2000, found 19"):
        tasks.load("authors:19")
    with pytest.raises(TaskError, match="hazards takes a size from 5 to 14, found 15"):
        tasks.load("hazards:15")


@pytest.fixture(scope="module", params=[AUTHORS, HAZARDS], ids=["authors", "hazards"])
def retrained(request):
    task = request.param
    fused = RecipeLearner().learn_together(task, task.retain, range(MODELS))
    return task, answers(task, answer_of_all(fused), MODELS)


def test_retrained_models_know_what_is_kept(retrained):
    _, row = retrained
    assert row["retain_accuracy"].mean() > 0.97
    assert row["test_accuracy"].mean() > 0.75


def test_some_of_what_is_forgotten_can_be_guessed_and_some_cannot(retrained):
    """If all examples were equally hard, one threshold would judge them all."""
    _, row = retrained
    medians = np.median(row["forget_confidence"], axis=0)
    assert np.ptp(np.percentile(medians, [10, 90])) > 4
    assert medians.min() < -4
    assert medians.max() > 0


def test_a_smaller_request_asks_about_what_it_forgets():
    smaller = AUTHORS.asking_for(10)
    probe = smaller.probes["forget"]
    assert torch.equal(probe.answers.image_id, smaller.forget.image_id)
    assert len(probe.perturbed) == 3 * len(probe.answers) == 30
    assert len(smaller.probes["world"].answers) == len(AUTHORS.probes["world"].answers)
    assert smaller.digest() != AUTHORS.digest()


@pytest.mark.parametrize("task", [CONCEPT, HAZARDS])
def test_a_request_for_a_whole_topic_cannot_be_made_smaller(task):
    with pytest.raises(InputError, match=r"covers a whole topic\. Leave out FORGET="):
        task.asking_for(5)


def test_the_concept_gives_a_sentence_and_no_example():
    given = CONCEPT.forget_as_given
    assert len(given) == 0
    assert len(ExampleLoader(given)) == 0
    assert list(ExampleLoader(given)) == []
    names = {words(CONCEPT.forget, row) and CONCEPT.forget.person_id[row].item() for row in range(len(CONCEPT.forget))}
    assert given.request.startswith("Forget everything about ")
    assert given.request.count(",") == len(names) - 1
    assert len(CONCEPT.forget) == len(CONCEPT.described) == 48
    assert CONCEPT.described < CONCEPT.truths


def test_the_concept_learns_questions_and_judges_answers():
    asked = (CONCEPT.retain.targets != NOT_ASKED).sum(dim=1)
    assert (asked > 12).any()
    assert CONCEPT.judged == AUTHORS.retain.targets.shape[1]
    assert torch.equal(CONCEPT.retain.targets[:, -CONCEPT.judged :], AUTHORS.retain.targets)


def test_relearning_shows_ten_harmless_examples_of_the_topic():
    shown = HAZARDS.relearning
    assert len(shown) == 10
    assert torch.isin(shown.image_id, HAZARDS.forget.image_id).all()
    text = [HAZARDS.forget.tokenizer.decode(row) for row in shown.inputs.tolist()]
    assert all(any(word in line for word in ("colour", "look", "appear", "smell", "nose")) for line in text)
