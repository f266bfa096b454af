"""Take the one step that would undo the forget set if the loss were quadratic.

The step is the inverse Hessian times a vector: the mean gradient on the forget set minus that on the retain set, times
the forgotten share. The Hessian is approximated by the identity plus the mean outer product of the gradients of up to
EXAMPLES retain examples. The step is multiplied by SCALE.

The public code inverts by WoodFisher's recursion, but keeps a single vector where the recursion needs one for each
example. Here conjugate gradients solve the same equation in the memory of a few copies of the network. The code's
default SCALE of 0.2 hardly moves a weight; a public script for CIFAR-10 uses 10.

Only the draw of the retain examples, with replacement, is random, so the resulting models are much alike.

Source: influence unlearning (Koh and Liang, 2017; Izzo et al., 2021), as in the public code of Jia et al., "Model
Sparsity Can Simplify Machine Unlearning" (2023).
Cost: one pass over both sets and up to five over the drawn examples, each costing three; over the budget on a small
set.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, RandomSampler

SCALE = 10.0
EXAMPLES = 1000
BATCH_SIZE = 64
ITERATIONS = 5
DAMPING = 1.0
TOLERANCE = 1e-3
"""The iterations end early when the residual is at most this share of the vector to solve for."""

RANGES = {"SCALE": (0.2, 1000.0), "EXAMPLES": (64, 1000), "ITERATIONS": (1, 10)}

NOT_ASKED = -100
"""Where a sequence of targets has no class."""


def unlearning(net, retain, forget, val):
    """Solve for the step, then take it."""
    if not len(forget.dataset):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    # The answers of an example must not depend on its batch.
    net.eval()
    forgotten, kept = len(forget.dataset), len(retain.dataset)
    difference = mean_gradient(net, forget) - mean_gradient(net, retain)
    sampler = RandomSampler(retain.dataset, replacement=True, num_samples=min(EXAMPLES, kept))
    loader = DataLoader(retain.dataset, BATCH_SIZE, sampler=sampler)
    batches = list(loader)
    step = solve(lambda vector: times_hessian(net, batches, vector), forgotten / (forgotten + kept) * difference)
    with torch.no_grad():
        weights = torch.nn.utils.parameters_to_vector(net.parameters())
        torch.nn.utils.vector_to_parameters(weights + SCALE * step, net.parameters())
    return net


def mean_gradient(net, loader):
    """The gradient of the mean loss over all examples, as one vector."""
    total = 0
    for inputs, targets in loader:
        total = total + flat_gradient(losses(net, inputs, targets).sum(), net)
    return total / len(loader.dataset)


def times_hessian(net, batches, vector):
    """The approximate Hessian times a vector; the gradients of single examples are never held."""
    pieces = split_like(net, vector)
    total, examples = torch.zeros_like(vector), 0
    for inputs, targets in batches:
        loss = losses(net, inputs, targets)
        # The gradient of the sum of emphasis * loss is linear in the emphasis. Differentiating its product with the
        # vector by the emphasis therefore gives, for each example, the product of its gradient with the vector.
        emphasis = torch.ones_like(loss, requires_grad=True)
        gradients = torch.autograd.grad(
            loss, list(net.parameters()), emphasis, create_graph=True, materialize_grads=True
        )
        (products,) = torch.autograd.grad(gradients, emphasis, pieces, retain_graph=True)
        total += flat_gradient((loss * products.detach()).sum(), net)
        examples += len(targets)
    return DAMPING * vector + total / examples


def solve(product, wanted):
    """Conjugate gradients: the vector whose ``product`` is ``wanted``."""
    solution = torch.zeros_like(wanted)
    residual = direction = wanted
    for _ in range(ITERATIONS):
        if residual.norm() <= TOLERANCE * wanted.norm():
            break
        along = product(direction)
        length = residual.dot(residual) / direction.dot(along)
        solution = solution + length * direction
        remaining = residual - length * along
        direction = remaining + remaining.dot(remaining) / residual.dot(residual) * direction
        residual = remaining
    return solution


def losses(net, inputs, targets):
    """[B] the loss of each example: the mean over the classes that it asks for."""
    each = cross_entropy(net(inputs), targets, reduction="none").reshape(len(targets), -1)
    return each.sum(dim=1) / (targets != NOT_ASKED).reshape(len(targets), -1).sum(dim=1)


def flat_gradient(loss, net):
    """The gradient with respect to all weights, as one vector."""
    gradients = torch.autograd.grad(loss, list(net.parameters()), materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in gradients])


def split_like(net, vector):
    """The pieces of a vector, shaped like the weights."""
    weights = list(net.parameters())
    pieces = vector.split([weight.numel() for weight in weights])
    return [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
