"""Errors that a person can act on. Any other exception is a bug in the kit and shows its traceback."""


class KitError(Exception):
    """The message says what was expected, what was found, and what to do."""


class SubmissionError(KitError):
    """The submission is at fault."""


class MachineError(KitError):
    """Machine failure: out of memory, disk full, worker died."""


class InputError(KitError):
    """A command-line option or the file that it names is at fault."""


class TaskError(InputError):
    """The task is unknown, its data are missing, or it does not fulfil its contract."""


class KaggleError(KitError):
    """Kaggle refused or cannot be reached, or the notebook for Kaggle failed."""
