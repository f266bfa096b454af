"""Methods that train on other labels or answers for the forget set: against formulas and naive computations."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.data import TensorDataset

from starter_kit.examples import ExampleLoader
from starter_kit.training import seed_everything
from tests.submissions.steps import in_one_column, loss, method, probabilities, squared_gradients, weights
from tests.toys import part, sequence_task

PIXELS = 16
"""The range of the inputs of digits."""


def test_srl_labels_retain_truly_and_forget_at_random_in_one_pass(sets):
    module, (retain, forget, _) = method("srl"), sets
    forget = part(forget, 0, 90)
    drawn = []
    for _ in range(20):
        batches = [
            (targets, forgotten, module.relabelled(targets, forgotten, 10))
            for _, targets, forgotten in module.mixed_batches(retain, forget)
        ]
        assert all(0 < int(forgotten.sum()) < len(forgotten) for _, forgotten, _ in batches), "each batch mixes both"
        true, forgotten, used = (torch.cat(column) for column in zip(*batches, strict=True))
        assert torch.equal(true[~forgotten].sort().values, retain.targets.sort().values)
        assert torch.equal(true[forgotten].sort().values, forget.targets.sort().values)
        assert torch.equal(used[~forgotten], true[~forgotten])
        drawn.append((used != true)[forgotten])
    assert float(torch.cat(drawn).double().mean()) == pytest.approx(0.9, abs=0.03)


def test_srl_and_rum_draw_nothing_where_nothing_is_asked():
    examples = sequence_task().forget
    marks = torch.arange(len(examples)) % 2 == 0
    for name in ("srl", "rum"):
        used = method(name).relabelled(examples.targets, marks, 8)
        assert torch.equal(used[~marks], examples.targets[~marks])
        assert torch.equal(used == -100, examples.targets == -100)
        assert not torch.equal(used[marks], examples.targets[marks])


@pytest.mark.parametrize("name", ["random_labels", "salun"])
def test_random_labels_are_learned_only_where_something_is_asked(name, monkeypatch):
    """A model whose answers at other positions are trained on random classes would forget what nobody asked for."""
    task, module, used = sequence_task(), method(name), []

    def spy(logits, targets):
        used.append(targets)
        return cross_entropy(logits, targets)

    monkeypatch.setattr(module, "cross_entropy", spy)
    monkeypatch.setattr(module, "EPOCHS", 1)
    seed_everything(0)
    module.unlearning(task.network(), *map(ExampleLoader, (task.retain, task.forget, task.validation)))
    asked = task.forget.targets[0] != -100
    assert all(torch.equal(row != -100, asked) for targets in used for row in targets), (
        "the same places in all examples"
    )
    true = {tuple(row) for some in (task.retain, task.forget) for row in some.targets.tolist()}
    assert any(tuple(row) not in true for targets in used for row in targets.tolist())


def test_srl_confuses_the_forget_set_and_keeps_the_rest(net, loaders):
    before = loss(net, loaders[1])
    method("srl").unlearning(net, *loaders)
    assert loss(net, loaders[1]) > 3 * before
    assert float((probabilities(net, loaders[0]).argmax(dim=1) == loaders[0].dataset.targets).double().mean()) > 0.95


def test_sfron_masks_what_matters_more_to_the_retain_set(net, sets):
    module, retain, forget = method("sfron"), part(sets[0], 0, 90), part(sets[1], 0, 30)
    masks = module.find_masks(net, *(torch.utils.data.DataLoader(some, 128) for some in (retain, forget)))
    ratios = [
        (gone + 1e-15) / (kept + 1e-15)
        for gone, kept in zip(squared_gradients(net, forget), squared_gradients(net, retain), strict=True)
    ]
    clear = (in_one_column(ratios) - 1).abs() > 1e-3
    assert torch.equal(in_one_column(masks)[clear], (in_one_column(ratios) >= 1)[clear])
    before = list(weights(net).values())
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    losses = cross_entropy(net(forget.inputs), forget.targets, reduction="none").detach()
    module.ascend(net, optimizer, (forget.inputs, forget.targets), 25.0, masks)
    rises = cross_entropy(net(forget.inputs), forget.targets, reduction="none").detach() - losses
    assert (losses.clamp(min=1e-7) ** -0.5 * rises).sum() > 0, (
        "what is climbed is the loss in which sure examples count more"
    )
    moves = in_one_column(net.parameters()) - in_one_column(before)
    assert not moves[~in_one_column(masks)].any()
    assert 0 < moves.norm() <= 1.001e-3 * 7.0, "clipped"


def test_sfron_weights_examples_by_the_inverse_root_of_their_loss():
    module = method("sfron")
    logits = torch.tensor([[3.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], requires_grad=True)
    targets = torch.tensor([0, 0, 0])
    losses = cross_entropy(logits, targets, reduction="none").detach()
    shares = losses**-0.5 / (losses**-0.5).sum()
    found = module.adaptive_loss(logits, targets)
    torch.testing.assert_close(found.detach(), (shares * losses).sum())
    # The weights themselves are constants: the gradient is that of the weighted sum.
    (gradient,) = torch.autograd.grad(found, logits)
    errors = logits.detach().softmax(dim=1) - one_hot(targets, 2)
    torch.testing.assert_close(gradient, shares[:, None] * errors)


def test_sfron_is_not_muted_by_an_example_without_loss():
    logits = torch.tensor([[200.0, 0.0], [1.0, 0.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(method("sfron").adaptive_loss(logits, torch.tensor([0, 0])), logits)
    assert gradient[1].abs().min() > 1e-5


def test_sfron_ascends_on_a_single_example_with_the_statistics_as_they_are(net, sets):
    module, forget = method("sfron"), part(sets[1], 0, 1)
    before = {name: tensor.clone() for name, tensor in net.named_buffers()}
    masks = [torch.ones_like(weight, dtype=torch.bool) for weight in net.parameters()]
    module.ascend(net, torch.optim.SGD(net.parameters(), lr=0.01), (forget.inputs, forget.targets), 25.0, masks)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.named_buffers())
    assert net.training


def test_lotus_smooths_the_more_the_better_the_forget_set_is_known():
    module = method("lotus")
    assert module.temperature(0.0) == 1
    assert module.temperature(0.25) == pytest.approx(math.exp(2 * 0.25))
    assert module.temperature(-0.005) < 1


def test_lotus_teaches_drawn_classes_on_retain_and_soft_answers_on_forget():
    module = method("lotus")
    seed_everything(0)
    logits = torch.tensor([2.0, 0.0, 1.0]).expand(4000, 3)
    forgotten = torch.arange(4000) % 2 == 0
    flat, sharp = (module.smoothed(logits, forgotten, tau) for tau in (20.0, 1.0))
    for answers in (flat, sharp):
        torch.testing.assert_close(answers.sum(dim=1), torch.ones(4000))
        assert torch.equal(answers[~forgotten].amax(dim=1), torch.ones(2000))
        torch.testing.assert_close(answers[~forgotten].mean(dim=0), logits[0].softmax(dim=0), atol=0.03, rtol=0)
    assert flat[forgotten].amax(dim=1).mean() < 0.4 < 0.7 < sharp[forgotten].amax(dim=1).mean()


@pytest.mark.parametrize("behind", [True, False])
def test_lotus_stops_when_the_forget_set_is_known_worse_than_unseen_examples(behind, net, sets, monkeypatch):
    retain, forget, val = sets
    module, before = method("lotus"), weights(net)
    if behind:
        forget = forget.with_columns([forget.inputs, (forget.targets + 1) % 10, forget.image_id, forget.person_id])
    passes = []
    monkeypatch.setattr(module, "temperature", lambda excess: passes.append(excess) or 1.0)
    module.unlearning(net, *map(ExampleLoader, (retain, forget, val)))
    assert (passes == []) == behind
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.named_parameters()) == behind
    steps_per_pass = math.ceil((int(0.3 * len(retain)) + len(forget)) / 128)
    assert behind or len(passes) == 10 * steps_per_pass


def test_amun_finds_the_boundary_of_a_linear_classifier():
    """Its steps go straight to the boundary, each a tenth of a radius that is less than twice the distance."""
    module, net = method("amun"), nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[3.0, -4.0], [0.0, 0.0]]))
        net.bias.zero_()
    seed_everything(0)
    inputs = torch.rand(200, 2) * 2 - 1
    distance = (inputs @ net.weight[0]).abs().detach() / 5
    # Near the edge of the range the way is bent.
    inside = (inputs.abs().amax(dim=1) < 0.5) & (distance > 0.1)
    corners = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    inputs, distance = torch.cat([inputs[inside], corners]), distance[inside]
    targets = net(inputs).argmax(dim=1)
    changed, labels = module.nearest_adversarial(net, inputs, targets)
    assert torch.equal(labels, 1 - targets)
    assert torch.equal(net(changed).argmax(dim=1), labels)
    moved = (changed - inputs).norm(dim=1)[: len(distance)]
    assert len(distance) > 20
    assert torch.all(moved >= distance - 1e-5)
    assert torch.all(moved <= 1.2 * distance + 1e-5)


def test_amun_changes_pictures_little_and_their_label(net, sets):
    module, forget = method("amun"), sets[1]
    net.eval()
    changed, labels = module.nearest_adversarial(net, forget.inputs, forget.targets)
    assert len(labels) == len(forget), "each has one"
    assert torch.all(labels != forget.targets)
    assert torch.equal(net(changed).argmax(dim=1), labels)
    assert 0 <= changed.min() <= changed.max() <= PIXELS
    distance = (changed - forget.inputs).flatten(1).norm(dim=1)
    between = (forget.inputs[:, None] - forget.inputs[None]).flatten(2).norm(dim=2)
    between[forget.targets[:, None] == forget.targets[None]] = math.inf
    assert torch.all(distance < between.amin(dim=1)), "nearer than the nearest digit of another class"
    # Half of the way does not flip the label.
    halfway = (forget.inputs + changed) / 2
    assert float((net(halfway).argmax(dim=1) == forget.targets).double().mean()) > 0.9


def test_amun_leaves_out_what_no_change_can_flip():
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.zero_()
        net.bias.copy_(torch.tensor([1.0, 0.0]))
    changed, labels = method("amun").nearest_adversarial(net, torch.rand(5, 2), torch.tensor([0, 0, 1, 0, 0]))
    assert (len(changed), labels.tolist()) == (1, [0])


@pytest.mark.parametrize(
    ("kind", "said"), [(torch.long, "inputs of this task are tokens"), (torch.float, "no single class")]
)
def test_amun_says_why_it_needs_pictures(kind, said):
    loader = torch.utils.data.DataLoader(
        TensorDataset(torch.ones(4, 3, dtype=kind), torch.ones(4, 3, dtype=torch.long))
    )
    with pytest.raises(NotImplementedError, match=said):
        method("amun").unlearning(nn.Identity(), loader, loader, loader)


def test_rum_unlearns_the_middle_third_before_the_most_memorised_one(net, loaders, monkeypatch):
    module, (retain, forget) = method("rum"), (loader.dataset for loader in loaders[:2])
    confidence = probabilities(net, ExampleLoader(forget, shuffle=False))[range(len(forget)), forget.targets]
    stages = []
    monkeypatch.setattr(module, "fine_tune", lambda net, examples: stages.append(("middle", examples)))
    monkeypatch.setattr(module, "salun", lambda net, retain, forget: stages.append(("high", retain, forget)))
    module.unlearning(net, *loaders)
    assert [name for name, *_ in stages] == ["middle", "high"]
    kept, high = stages[0][1].datasets
    assert kept is stages[1][1] is retain
    assert high is stages[1][2]
    least_sure = confidence.argsort()
    assert set(high.indices) == set(least_sure[: math.ceil(len(forget) / 3)].tolist())
    thirds = module.thirds(confidence)
    assert confidence[thirds[0]].max() <= confidence[thirds[1]].min()
    assert confidence[thirds[1]].max() <= confidence[thirds[2]].min()
    assert sorted(torch.cat(thirds).tolist()) == list(range(len(forget)))


def test_rum_relabels_a_single_example(net, loaders, monkeypatch):
    module, stages = method("rum"), []
    monkeypatch.setattr(module, "fine_tune", lambda net, examples: stages.append("middle"))
    monkeypatch.setattr(module, "salun", lambda net, retain, forget: stages.append(len(forget)))
    module.unlearning(net, loaders[0], ExampleLoader(part(loaders[1].dataset, 0, 1)), loaders[2])
    assert stages == [1]


def test_rum_measures_confidence_over_what_is_asked():
    task = sequence_task()
    net = task.network()
    found = method("rum").confidences(net, task.forget)
    answers = net(task.forget.inputs).softmax(dim=1).detach()
    for row, targets in enumerate(task.forget.targets):
        asked = [float(answers[row, label, place]) for place, label in enumerate(targets.tolist()) if label != -100]
        assert float(found[row]) == pytest.approx(sum(asked) / len(asked), rel=1e-5)
