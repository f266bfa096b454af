"""What the notebook does on Kaggle: each file's cells go into it unchanged.

Everything above a file's first ``# %%`` is left out, so only there may a file import from this repository. Below it, a
file may import what Kaggle has: neither this repository nor the internet.
"""
