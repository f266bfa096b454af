"""Decision rules: guesses, from one confidence, at which pool a model came from.

A file here is one rule family with one function::

    error_counts(positive, negative) -> (false_positives, false_negatives)

``positive`` and ``negative`` are [N] float64 arrays: the confidences that the N models of either pool have in
one forget example; by the evaluator's convention ``positive`` is the pool with the larger median. The
result is two integer arrays with one entry for each rule of the family, or for each rule that no other one
of the family beats. Counts, not rates, because the same few counts come from very many rules.

A family may call either pool "positive" in the rules themselves: epsilon is symmetric in the two errors.
Which families the official score uses is said in ``scoring/score.py``, not by the presence of a file.
"""
