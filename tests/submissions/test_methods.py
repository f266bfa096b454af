"""Fine-tuning, ascent, teachers and retraining: what each does to weights and losses, against closed forms."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from starter_kit import tasks
from starter_kit.examples import ExampleLoader, Examples
from starter_kit.training import seed_everything
from tests.submissions.steps import convolutions, loss, method, moved, probabilities, weights
from tests.toys import part


@pytest.mark.parametrize("name", ["finetune", "finetune_low_rate", "finetune_last_layers", "l1_sparse_finetune"])
def test_fine_tuning_learns_the_retain_set(name, net, loaders):
    net.fc.reset_parameters()
    before = loss(net, loaders[0])
    method(name).unlearning(net, *loaders)
    assert loss(net, loaders[0]) < 0.9 * before


@pytest.mark.parametrize("name", ["gradient_ascent", "random_labels"])
def test_training_on_the_forget_set_alone_makes_it_unlikely(name, net, loaders):
    before = loss(net, loaders[1])
    method(name).unlearning(net, *loaders)
    assert loss(net, loaders[1]) > 3 * before


@pytest.mark.parametrize(
    ("name", "constant", "without", "with_it"),
    [("neggrad_plus", "RETAIN_SHARE", 1.0, 0.5), ("scrub", "FORGET_EPOCHS", 0, 5)],
)
def test_ascent_beside_the_retain_set_makes_the_forget_set_unlikely(name, constant, without, with_it, net, loaders):
    losses = []
    for value in (without, with_it):
        module, tried = method(name), copy.deepcopy(net)
        setattr(module, constant, value)
        module.STEPS, module.EPOCHS = 120, 5
        if name == "scrub":
            module.LEARNING_RATE, module.of_the_same_classes = 0.02, lambda val, forget: []
        seed_everything(2)
        module.unlearning(tried, *loaders)
        losses.append(loss(tried, loaders[1]))
    assert losses[1] > 2 * losses[0]


def test_the_ascent_of_neggrad_plus_gets_going(net, loaders):
    """A few steps on digits left the loss where it was, so nothing was tried."""
    retained, forgotten = loss(net, loaders[0]), loss(net, loaders[1])
    method("neggrad_plus").unlearning(net, *loaders)
    assert loss(net, loaders[1]) > 5 * forgotten
    assert loss(net, loaders[0]) < 5 * retained + 0.01


@pytest.mark.parametrize(
    ("found", "unlike"), [([0.02, 0.3, 0.11, 0.6, 0.5, 0.1], 5), ([0.0, 0.1, 0.1, 0.3, 0.0, 0.1], 1)]
)
def test_scrub_rewinds_to_the_last_epoch_that_forgets_as_much_as_it_does_not_know(
    net, loaders, monkeypatch, found, unlike
):
    """The errors on the forget set after each epoch, and at the end on validation examples of its classes."""
    module, states, errors = method("scrub"), [], iter(found)

    def error(net, examples):
        states.append(copy.deepcopy(net.state_dict()))
        return next(errors)

    monkeypatch.setattr(module, "error", error)
    module.unlearning(net, *loaders)
    assert len(states) == 6
    assert all(torch.equal(value, states[2][name]) for name, value in net.state_dict().items())
    assert not torch.equal(net.fc.weight, states[unlike]["fc.weight"])


def test_scrub_compares_with_validation_examples_of_the_forgotten_classes(net, loaders):
    module, (_, forget, val) = method("scrub"), loaders
    two = forget.dataset.targets < 2
    only = ExampleLoader(Examples(*(column[two] for column in forget.dataset.columns)))
    found = torch.cat([targets for _, targets in module.of_the_same_classes(val, only)])
    assert set(found.tolist()) == {0, 1}
    assert len(found) == int((val.dataset.targets < 2).sum())
    wrong = Examples(val.dataset.inputs, (val.dataset.targets + 1) % 10, val.dataset.image_id, val.dataset.person_id)
    assert module.error(net, val) < 0.05
    assert module.error(net, ExampleLoader(wrong)) > 0.95


def test_bad_teaching_makes_the_forget_set_unsure(net, loaders):
    module = method("bad_teaching")
    module.LEARNING_RATE = 1e-3
    before = [float(probabilities(net, loader).amax(dim=1).mean()) for loader in loaders[:2]]
    module.unlearning(net, *loaders)
    after = [float(probabilities(net, loader).amax(dim=1).mean()) for loader in loaders[:2]]
    assert before[1] - after[1] > 0.3
    assert before[0] - after[0] < 0.15


def test_bad_teaching_shuffles_forget_examples_in_among_the_others(loaders):
    """Each is used once per pass. If they were dealt evenly, all batches would have about equally many."""
    retain, forget, _ = loaders
    module, counts = method("bad_teaching"), []
    module.BATCH_SIZE = 32
    for _ in range(5):
        inputs, is_forgotten = map(torch.cat, zip(*(batches := list(module.mixed(retain, forget))), strict=True))
        assert torch.equal(
            inputs[is_forgotten].flatten(1).sum(dim=1).sort().values,
            forget.dataset.inputs.flatten(1).sum(dim=1).sort().values,
        )
        assert int((~is_forgotten).sum()) == round(0.3 * len(retain.dataset))
        counts += [int(flags.sum()) for _, flags in batches if len(flags) == 32]
    assert max(counts) - min(counts) > 4


@pytest.mark.parametrize("name", ["retrain", "bad_teaching"])
@pytest.mark.parametrize("task", ["digits", "faces:600", "authors", "hazards"])
def test_a_network_is_reset_to_what_it_is_initialised_to(name, task):
    """Each weight tensor has the spread that it has in a fresh network; PyTorch's defaults differ twofold."""
    seed_everything(3)
    network = tasks.load(task).network
    fresh, tried = network(), network()
    for weight in tried.parameters():
        weight.data.add_(5)
    method(name).reset(tried)
    for (layer, weight), after in zip(fresh.named_parameters(), tried.parameters(), strict=True):
        if len(weight.unique()) == 1:
            assert torch.equal(after, weight), layer
        elif weight.numel() >= 200:
            assert float(after.detach().std()) == pytest.approx(float(weight.detach().std()), rel=0.25), layer
            assert abs(float(after.detach().mean())) < 1, layer


@pytest.mark.parametrize("name", ["finetune_last_layers", "retrain_last_layers"])
def test_only_the_last_layers_move(name, net, loaders):
    before = weights(net)
    method(name).unlearning(net, *loaders)
    assert moved(before, net) == {part for part in before if part.startswith(("layer4", "fc"))}


@pytest.mark.parametrize("name", ["finetune_last_layers", "retrain_last_layers"])
def test_the_last_layers_are_counted_in_convolutions_and_linear_layers(name):
    layers = method(name).last_layers
    resnet, digit_net, text = (tasks.load(task).network() for task in ("faces:600", "digits", "authors"))
    assert [*map(id, layers(resnet))][-1] == id(resnet.fc)
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in layers(resnet)) == 6
    assert {id(weight) for module in layers(resnet) for weight in module.parameters(recurse=False)} == {
        id(weight) for weight in (*resnet.layer4.parameters(), *resnet.fc.parameters())
    }
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in layers(digit_net)) == 2
    assert any(module is text.head for module in layers(text))


@pytest.mark.parametrize("name", ["retrain", "retrain_last_layers"])
def test_retraining_begins_with_fresh_weights(name, net, loaders):
    """With a learning rate of 0, retrained layers share neither values nor correlation with the original."""
    before = weights(net)
    module = method(name)
    module.LEARNING_RATE = 0
    module.unlearning(net, *loaders)
    retrained = moved(before, net)
    assert {"layer4.0.conv1.weight", "fc.weight", "fc.bias"} <= retrained
    for layer in ("layer4.0.conv1.weight", "fc.weight"):
        both = torch.stack([before[layer].flatten(), net.get_parameter(layer).detach().flatten()])
        assert abs(torch.corrcoef(both)[0, 1]) < 0.15
    if name == "retrain":
        assert {f"{part}.weight" for part in convolutions(net)} <= retrained


@pytest.mark.parametrize("name", ["retrain", "bad_teaching"])
def test_a_layer_that_cannot_be_reset_is_reported(name):
    """It would silently keep what it knows of the forget set."""
    with pytest.raises(NotImplementedError, match="MultiheadAttention in this network has no reset_parameters"):
        method(name).reset(nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2)))


def test_a_last_layer_that_cannot_be_reset_is_reported():
    net = nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2))
    with pytest.raises(NotImplementedError, match="MultiheadAttention in this network has no reset_parameters"):
        method("retrain_last_layers").reset(net, list(net.modules()))


def test_salun_moves_the_weights_that_matter_to_the_forget_set(net, loaders):
    module, before = method("salun"), weights(net)
    frozen = dict(zip(before, module.find_frozen(net, loaders[1]), strict=True))
    net.eval()
    cross_entropy(net(loaders[1].dataset.inputs), loaders[1].dataset.targets).backward()
    alive = torch.cat([mask[net.get_parameter(name).grad != 0] for name, mask in frozen.items()])
    assert float(alive.double().mean()) == pytest.approx(0.5, abs=0.01)
    salient = [net.get_parameter(name).grad.abs()[~mask] for name, mask in frozen.items()]
    others = [net.get_parameter(name).grad.abs()[mask] for name, mask in frozen.items()]
    assert torch.cat(salient).mean() > 5 * torch.cat(others).mean()
    module.find_frozen = lambda net, forget: list(frozen.values())
    module.unlearning(net.train(), *loaders)
    for name, tensor in net.named_parameters():
        assert torch.equal(tensor[frozen[name]], before[name][frozen[name]])
        if not frozen[name].all():
            assert float((tensor != before[name])[~frozen[name]].double().mean()) > 0.9


def test_salun_chooses_among_the_weights_that_have_a_gradient():
    """More than half of this network's weights have none on such small pictures. A median over all would be zero."""
    task = tasks.load("faces:600")
    seed_everything(0)
    net = task.network()
    frozen = method("salun").find_frozen(net, ExampleLoader(part(task.forget, 0, 8)))
    net.eval()
    cross_entropy(net(task.forget.inputs[:8]), task.forget.targets[:8]).backward()
    alive = [weight.grad != 0 for weight in net.parameters()]
    assert float(torch.cat([one.flatten() for one in alive]).double().mean()) < 0.5
    of_alive = torch.cat([mask[some] for mask, some in zip(frozen, alive, strict=True)])
    assert float(of_alive.double().mean()) == pytest.approx(0.5, abs=0.01)
    assert all(bool(mask[~some].all()) for mask, some in zip(frozen, alive, strict=True))


def test_salun_freezes_a_weight_that_no_output_depends_on(net, loaders):
    net.unused = nn.Parameter(torch.ones(3))
    method("salun").unlearning(net, *loaders)
    assert torch.equal(net.unused.detach(), torch.ones(3))


def test_divergences_are_those_of_kullback_and_leibler(net, loaders):
    inputs = next(iter(loaders[0]))[0]
    teacher = copy.deepcopy(net).eval()
    logits = torch.randn(len(inputs), 10)
    student, wanted = ((some.double() / 2).softmax(dim=1) for some in (logits, teacher(inputs).detach()))
    expected = float((wanted * (wanted / student).log()).sum(dim=1).mean())
    scrub, ends = method("scrub"), method("reset_ends_distill")
    scrub.TEMPERATURE = 2
    assert float(scrub.divergence(logits, teacher, inputs).detach()) == pytest.approx(4 * expected, rel=1e-4)
    assert float(scrub.divergence(teacher(inputs), teacher, inputs).detach()) == pytest.approx(0, abs=1e-5)
    assert float(ends.divergence(student.log(), wanted)) == pytest.approx(expected, rel=1e-4)
