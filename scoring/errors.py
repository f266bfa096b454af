"""The kinds of trouble. Anything else that is raised is a fault of this kit and shows its traceback."""


class KitError(Exception):
    """Trouble that a person can act on; the message says what was expected, what was found, what to do."""


class SubmissionError(KitError):
    """The submission is at fault."""


class MachineError(KitError):
    """The machine is: memory, disk, a worker that died."""


class InputError(KitError):
    """An option or a file that was named is."""
