"""Tuning: the best constants of a submission for a task, by scores with few models."""
