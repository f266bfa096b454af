"""What the notebook does on Kaggle: each file's cells go into it as they are.

What stands above a file's first mark ``# %%`` is left out. There a file may import from this repository; below it
only what Kaggle has, which has neither this repository nor the internet.
"""
