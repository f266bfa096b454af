"""Errors that a person can act on, and how their messages show text from outside. Other exceptions are bugs."""

MOST_QUOTED = 300
"""Characters of a foreign text in a message."""


def plain(text: str) -> str:
    """The text as it may be printed: all but newlines and tabs that is not printable is shown escaped.

    A terminal obeys control characters, and shows text in another order after some others; both would let a file name
    or a submission's message pass for the kit's own words.
    """
    return "".join(one if one in "\n\t" or one.isprintable() else _escaped(one) for one in text.replace("\r\n", "\n"))


def quoted(text: object, most: int = MOST_QUOTED) -> str:
    """A text from outside as a part of a message: on one line, and cut after ``most`` characters.

    Args:
        text: a name, a path, a value, or what another program said.
        most: the length from which it is cut; then it ends with its whole length.
    """
    whole = str(text)
    shown = "".join(one if one.isprintable() else _escaped(one) for one in whole[: most + 1])
    if len(shown) <= most:
        return shown
    end = f"… ({len(whole)} characters)"
    return shown[: most - len(end)] + end


def _escaped(character: str) -> str:
    """As in Python's source: ``\\x1b``, ``\\u202e``."""
    return character.encode("unicode_escape").decode("ascii")


class KitError(Exception):
    """The message says what was expected, what was found, and what to do."""


class SubmissionError(KitError):
    """The submission is at fault."""


class UnsuitedError(SubmissionError):
    """The submission says that it does not work on this task: it raised ``NotImplementedError``."""


class MachineError(KitError):
    """Machine failure: out of memory, disk full, worker died."""


class InputError(KitError):
    """A command-line option or the file that it names is at fault."""


class TaskError(InputError):
    """The task is unknown, its data are missing, or it does not fulfil its contract."""


class KaggleError(KitError):
    """Kaggle refused or cannot be reached, or the notebook for Kaggle failed."""


NO_GPU_MEMORY = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
)
"""What CUDA's libraries say when a GPU's memory runs out within them: torch raises a plain RuntimeError then."""


def out_of_gpu_memory(error: BaseException) -> bool:
    """Whether an error says that a GPU's memory ran out."""
    if type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in NO_GPU_MEMORY)
