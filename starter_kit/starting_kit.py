# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first look at machine unlearning
#
# A model was trained on everybody's data. One person asks to be forgotten. Retraining without that person's data is
# certain to work, but slow. **Unlearning** modifies the existing model in a fraction of the time. The goal is a model
# that cannot be told from a retrained one.
#
# This notebook introduces a task, shows what retraining changes and why the obvious test misleads, and scores a first
# method. It takes about three minutes on two cores. On Colab or Kaggle, first clone the repository, run `pip install
# --editable .` in it, and open this notebook in its `starter_kit` folder.

# %%
import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "scoring").is_dir())
os.chdir(ROOT)
sys.path.insert(0, str(ROOT))

from scoring import logit_scaled_confidence  # noqa: E402
from starter_kit import tasks  # noqa: E402
from starter_kit.training import seed_everything, train  # noqa: E402

torch.set_num_threads(1)

# %% [markdown]
# ## The task
#
# 1,797 handwritten digits by 14 writers. Writer 12 asks to be forgotten (top row). The bottom row shows writers who
# stay.

# %%
task = tasks.load("digits")
figure, axes = plt.subplots(2, 10, figsize=(10, 2.4))
for row, (name, examples) in zip(axes, (("forget", task.forget), ("retain", task.retain)), strict=True):
    for place, axis in enumerate(row):
        axis.imshow(examples.inputs[place, 0], cmap="gray_r")
        axis.set_title(int(examples.targets[place]), fontsize=9)
        axis.axis("off")
    row[0].text(-1, 3.5, name, ha="right", transform=row[0].transData)
plt.show()

# %% [markdown]
# ## What retraining changes
#
# We train five **original** models on everything, and five **retrained** ones without the forgotten writer.


# %%
def trained(examples, seed):
    """A model of the task, trained on these examples."""
    seed_everything(seed)
    net = task.network()
    train(net, examples, task.recipe)
    return net.eval()


@torch.no_grad()
def logits(net, examples):
    """What the model answers."""
    return net(examples.inputs).numpy()


MODELS = 5
originals = [trained(task.train, seed) for seed in range(MODELS)]
retrained = [trained(task.retain, MODELS + seed) for seed in range(MODELS)]
for name, examples in (("retain", task.retain), ("forget", task.forget), ("test", task.test)):
    targets = examples.targets.numpy()
    right = [[(logits(net, examples).argmax(1) == targets).mean() for net in pool] for pool in (originals, retrained)]
    print(f"{name:6}  originals {np.mean(right[0]):.3f}  retrained {np.mean(right[1]):.3f}")

# %% [markdown]
# Retrained models make mistakes on the forgotten writer's digits; originals make none. A model that has really
# forgotten should make *the same kind* of mistakes: neither fewer nor more. The judge looks at one number per example,
# the **confidence** in the true class. Here it is for one model of each kind:

# %%
confidences = {
    name: logit_scaled_confidence(logits(net, task.forget), task.forget.targets.numpy())
    for name, net in (("original", originals[0]), ("retrained", retrained[0]))
}
for name, values in confidences.items():
    plt.hist(values, bins=30, alpha=0.6, label=name)
plt.xlabel("confidence in the true class, forget examples")
plt.legend()
plt.show()

# %% [markdown]
# ## Why the obvious test misleads
#
# The challenge's starting kit asks whether an attacker can tell forget examples from test examples by their losses. An
# accuracy of 0.5 is meant to show that the model has forgotten. But here is the result for models that never saw the
# forget set, with standard errors over the models:

# %%
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import cross_val_score  # noqa: E402


def attack(net):
    """How well the losses of forget examples can be told from those of test examples."""
    losses = [
        np.logaddexp(0, -logit_scaled_confidence(logits(net, examples), examples.targets.numpy()))
        for examples in (task.forget, task.test)
    ]
    size = min(map(len, losses))
    samples = np.concatenate([values[:size] for values in losses]).reshape(-1, 1)
    return cross_val_score(LogisticRegression(), samples, np.repeat([1, 0], size), cv=10).mean()


for name, pool in (("originals", originals), ("retrained", retrained)):
    found = [attack(net) for net in pool]
    print(f"{name}: {np.mean(found):.3f} ± {np.std(found, ddof=1) / len(found) ** 0.5:.3f}")

# %% [markdown]
# Retraining, the ideal solution, looks worse than doing nothing: this writer's digits are hard to read, and the
# attack picks that up. So the kit trains hundreds of retrained models, and checks, example by example, whether
# unlearned models behave like them.
#
# ## A first method
#
# It fine-tunes on the retain set for one epoch at a high learning rate. Save it as a file, as you would for Kaggle.

# %%
FIRST = '''"""Fine-tune on the retain set, for one pass at a high rate."""

import torch
from torch.nn.functional import cross_entropy

LEARNING_RATE = 0.3


def unlearning(net, retain, forget, val):
    """Learn the retain set once more."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=len(retain))
    for inputs, targets in retain:
        optimizer.zero_grad()
        cross_entropy(net(inputs), targets).backward()
        optimizer.step()
        schedule.step()
    return net
'''
folder = Path("out/notebook")
folder.mkdir(parents=True, exist_ok=True)
_ = (folder / "first.py").write_text(FIRST)

# %% [markdown]
# Score it with 64 models per pool. That is a quick look; official scores use 512. The equivalent terminal command is
# `make score SUBMISSION=out/notebook/first.py MODELS=64`.

# %%
options = ["--models", "64", "--out", str(folder / "first")]
plain = {name: value for name, value in os.environ.items() if "COLOR" not in name} | {"TERM": "dumb"}
command = [sys.executable, "-m", "scoring", "score", str(folder / "first.py"), *options]
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=plain) as run:
    for line in run.stdout or ():
        print(line, end="")
assert run.returncode == 0, "scoring failed; the lines above say why"

# %% [markdown]
# Read the score between its floor (the original, untouched: 0) and its ceiling (what exact retraining scores). Below:
# the example that exposes the method most, and a typical one.

# %%
report = json.loads((folder / "first/report.json").read_text())
epsilon = np.array(report["unlearned"]["epsilon"]["examples"])
pools = {name: np.load(folder / f"first/{name}.npz")["forget_confidence"] for name in ("unlearned", "retrained")}
order = epsilon.argsort()
figure, axes = plt.subplots(1, 2, figsize=(10, 3))
for axis, (name, example) in zip(axes, (("worst", order[-1]), ("typical", order[len(order) // 2])), strict=True):
    bins = np.histogram_bin_edges(np.concatenate([values[:, example] for values in pools.values()]), 30)
    for label, values in pools.items():
        axis.hist(values[:, example], bins, alpha=0.6, label=label)
    axis.set_title(f"{name}: example {report['examples'][example]['id']}, epsilon {epsilon[example]:.2f}")
    axis.legend()
plt.show()

# %% [markdown]
# ## What to try next
#
# - Open `out/notebook/first/report.html`: every forget example, with the rule that exposes it.
# - `make new NAME=mine` starts a file of your own; `make tune SUBMISSION=submissions/mine.py` tunes its constants.
# - `make compare` ranks it among more than forty methods, the competition's winners among them.
# - `TASK=faces` forgets a face, `TASK=authors` makes a language model forget an author.
# - `make upload SUBMISSION=submissions/mine.py` sends the same file to Kaggle
#   ([step by step](kaggle/README.md)).
