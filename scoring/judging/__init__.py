"""Judging: arrays in, numbers out. NumPy, SciPy and scikit-learn only; no torch, no files, nothing else of the kit."""
