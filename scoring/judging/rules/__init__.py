"""Decision rules: each guesses from a single confidence which pool a model came from.

Each file here defines one rule family, by its errors::

    error_counts(positive, negative) -> (false_positives, false_negatives)

and the families of the official score also return the rule behind an entry::

    interval(positive, negative, index) -> (low, high, whether the first pool is inside)

``positive`` and ``negative`` are [N] float64 arrays: the confidences of each pool's N models on one forget example.
By the evaluator's convention, ``positive`` is the pool with the larger median. The function returns two integer
arrays with one entry per rule of the family; rules that another rule of the family dominates may be left out. The
entries are counts, not rates, because many rules share the same few counts.

The rules themselves may treat either pool as the positive one: epsilon is symmetric in the two kinds of error.
``RULES`` in ``scoring/judging/score.py`` lists the families of the official score; a new file does not change it.
"""
