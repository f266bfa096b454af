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
# the sure way, but it is slow. **Unlearning** changes the model that is there, in a fraction of the time, so that
# nobody can tell it from a retrained one.
#
# This notebook looks at a task, shows what retraining would change, shows why the obvious test misleads, and scores a
# first method. It takes about three minutes on two cores. On Colab or Kaggle, clone the repository first and open
# this notebook in its `starter_kit` folder.

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
# 1,797 handwritten digits by 14 writers. The writer of session 12 asks to be forgotten: the top row. The other row is
# by writers who stay.

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
# ## What retraining would change
#
# We train two models: the **original** on everything, and a **retrained** one without the forgotten writer.


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


original, retrained = trained(task.train, 0), trained(task.retain, 1)
for name, examples in (("retain", task.retain), ("forget", task.forget), ("test", task.test)):
    right = [(logits(net, examples).argmax(1) == examples.targets.numpy()).mean() for net in (original, retrained)]
    print(f"{name:6}  original {right[0]:.3f}  retrained {right[1]:.3f}")

# %% [markdown]
# The retrained model makes mistakes on the forgotten writer's digits; the original makes none. A model that has
# really forgotten should make *the same kind* of mistakes: no fewer, and no more. The judge looks at one number per
# example, the **confidence** in the true class.

# %%
confidences = {
    name: logit_scaled_confidence(logits(net, task.forget), task.forget.targets.numpy())
    for name, net in (("original", original), ("retrained", retrained))
}
for name, values in confidences.items():
    plt.hist(values, bins=30, alpha=0.6, label=name)
plt.xlabel("confidence in the true class, forget examples")
plt.legend()
plt.show()

# %% [markdown]
# ## Why the obvious test misleads
#
# The challenge's starting kit asks whether forget examples can be told from test examples by their losses. If not
# (0.5), it says, the model has forgotten. But look at what it says about a model that has never seen the forget set:

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


print(f"original {attack(original):.2f}, retrained {attack(retrained):.2f}")

# %% [markdown]
# The perfect answer looks worse than doing nothing: the forgotten writer is hard to read, and the attack sees that.
# So the kit trains hundreds of retrained models, and asks of every single example whether unlearned models answer
# like them.
#
# ## A first method
#
# It fine-tunes on what is to be kept, for one pass at a high rate. Save it as a file, as you would for Kaggle.

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
(folder / "first.py").write_text(FIRST)

# %% [markdown]
# Score it with 64 models per pool. That is a quick look: 512 make an official score. In a terminal the same is `make
# score SUBMISSION=out/notebook/first.py MODELS=64`.

# %%
options = ["--models", "64", "--out", str(folder / "first")]
plain = {name: value for name, value in os.environ.items() if "COLOR" not in name} | {"TERM": "dumb"}
command = [sys.executable, "-m", "scoring", "score", str(folder / "first.py"), *options]
run = subprocess.run(command, capture_output=True, text=True, env=plain)
print(run.stdout or run.stderr)

# %% [markdown]
# Read the score between its floor (the original, untouched: 0) and its ceiling (what exact retraining scores). Here
# are the example that gives the method away most, and a typical one:

# %%
report = json.loads((folder / "first/report.json").read_text())
epsilon = np.array(report["unlearned"]["epsilon"]["examples"])
pools = {name: np.load(folder / f"first/{name}.npz")["forget_confidence"] for name in ("unlearned", "retrained")}
order = epsilon.argsort()
figure, axes = plt.subplots(1, 2, figsize=(10, 3))
for axis, (name, example) in zip(axes, (("worst", order[-1]), ("typical", order[len(order) // 2])), strict=True):
    bins = np.histogram_bin_edges(np.concatenate([pool[:, example] for pool in pools.values()]), 30)
    for pool, values in pools.items():
        axis.hist(values[:, example], bins, alpha=0.6, label=pool)
    axis.set_title(f"{name}: example {example}, epsilon {epsilon[example]:.2f}")
    axis.legend()
plt.show()

# %% [markdown]
# ## What to try next
#
# - Open `out/notebook/first/report.html`: every example, with the rule that gives it away.
# - `make new NAME=mine` starts a file of your own; `make tune SUBMISSION=submissions/mine.py` searches its constants.
# - `make compare` ranks it among more than forty methods, the competition's winners among them.
# - `TASK=faces` forgets a face, `TASK=authors` makes a language model forget an author.
# - `make upload SUBMISSION=submissions/mine.py` sends the same file to Kaggle
#   ([step by step](kaggle/README.md)).
