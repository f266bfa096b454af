"""Keys: what decides the rows of a job, and so where they are found again."""

from collections.abc import Mapping

from scoring.jobs.code import digest_of_code
from scoring.jobs.job import Job


def key_of(job: Job, kind: Mapping[str, str]) -> dict[str, str]:
    """Everything that can change a bit of the job's rows: what it says itself, its code, and the kind of machine."""
    return {"job": type(job).__name__, **job.key(), "code": digest_of_code(job.code), **kind}
