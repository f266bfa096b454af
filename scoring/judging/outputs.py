"""Outputs: what the models of a pool answered. Nothing else is judged."""

import io
import zipfile
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 3

PROBES = "probe."
"""The prefix of a probe's name in a file."""


@dataclass(frozen=True)
class Identity:
    """Where outputs come from. Only pools with the same identity can be compared with each other.

    Attributes:
        task: the task's name.
        seed: the run's seed.
        reference: digest of everything that decides the retrained pool: examples, learner, code, versions, machine.
    """

    task: str
    seed: int
    reference: str

    def __str__(self) -> str:
        return f"{self.task}, seed {self.seed}, reference {self.reference}"


@dataclass(frozen=True, eq=False)
class Outputs:
    """The answers of N models to F forget and T test examples; one file on disk.

    Attributes:
        identity: the task, seed and reference that the answers belong to.
        forget_confidence: [N, F] float64, logit-scaled confidences in nats.
        test_confidence: [N, T] float64, the same on the test set.
        retain_accuracy, forget_accuracy, validation_accuracy, test_accuracy: [N] float64 in [0, 1].
        seconds: [N] float64, time to make each model, without judging it; NaN if unknown.
        retraining_seconds: [N] float64, how long retraining one model alone would have taken on the same machine at the
            same time; NaN where it was not measured.
        seeds: [N] uint64, the seed of each model; 0 if unknown.
        probes: other answers, by names that begin with ``PROBES``: arrays with a first axis over the N models. Most
            tasks have none.

    Raises:
        ValueError: shapes or types that do not fit, NaN or infinite confidences, accuracies outside [0, 1], negative
            seconds.
    """

    identity: Identity
    forget_confidence: NDArray[np.float64]
    test_confidence: NDArray[np.float64]
    retain_accuracy: NDArray[np.float64]
    forget_accuracy: NDArray[np.float64]
    validation_accuracy: NDArray[np.float64]
    test_accuracy: NDArray[np.float64]
    seconds: NDArray[np.float64]
    retraining_seconds: NDArray[np.float64]
    seeds: NDArray[np.uint64]
    probes: dict[str, NDArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        models = len(self)
        for name, values in self.probes.items():
            if values.dtype.kind not in "biuf" or not values.ndim or len(values) != models:
                raise ValueError(f"{name}: expected numbers of {models} models; found {values.dtype} {values.shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"{name}: some values are NaN or infinite")
        for name, values in self.arrays().items():
            kinds, axes = "iu" if name == "seeds" else "iuf", 2 if name.endswith("confidence") else 1
            if values.dtype.kind not in kinds:
                raise ValueError(
                    f"{name}: expected {'integers' if name == 'seeds' else 'real numbers'}, found {values.dtype}"
                )
            if values.ndim != axes or len(values) != models:
                raise ValueError(
                    f"{name}: expected {axes} axes, the first of {models} models; found shape {values.shape}"
                )
            unknown = np.isnan(values) if name.endswith("seconds") else False
            if not (np.isfinite(values) | unknown).all():
                raise ValueError(f"{name}: {np.sum(~np.isfinite(values))} values are NaN or infinite")
            if name.endswith("accuracy") and not ((values >= 0) & (values <= 1)).all():
                raise ValueError(f"{name}: expected shares from 0 to 1, found {values.min()} to {values.max()}")
            if name.endswith("seconds") and (values < 0).any():
                raise ValueError(f"{name}: expected no negative seconds, found {np.nanmin(values)}")

    def __len__(self) -> int:
        return len(self.forget_confidence)

    def arrays(self) -> dict[str, NDArray]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    def take(self, index: NDArray[np.integer] | slice) -> "Outputs":
        """The outputs of some of the models."""
        arrays = {name: values[index] for name, values in self.arrays().items()}
        return Outputs(self.identity, **arrays, probes={name: values[index] for name, values in self.probes.items()})

    def to_bytes(self) -> bytes:
        """The content of the file: an uncompressed ``.npz`` of the arrays, the identity and ``schema_version``."""
        buffer = io.BytesIO()
        identity = {"task": self.identity.task, "seed": self.identity.seed, "reference": self.identity.reference}
        np.savez(buffer, schema_version=SCHEMA_VERSION, **identity, **self.arrays(), **self.probes)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Outputs":
        """The outputs in what ``to_bytes`` returned.

        Raises:
            ValueError: the content is damaged, is something else, or follows another schema.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                # A small compressed file can hold more than fits into memory.
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                    raise ValueError("compressed")
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                found = {name: np.asarray(file[name]) for name in file.files}
        except Exception as error:  # A hostile file can make zipfile and NumPy raise anything; it is the file's fault.
            raise ValueError(
                "expected outputs saved by `make score`; this is not a complete, uncompressed .npz file"
            ) from error
        version = found.pop("schema_version", None)
        if version is not None and version != SCHEMA_VERSION:
            raise ValueError(f"expected schema version {SCHEMA_VERSION}, found {version}; run `make score` again")
        probes = {name: found.pop(name) for name in list(found) if name.startswith(PROBES)}
        expected = {*ARRAYS, "task", "seed", "reference"}
        if version is None or set(found) != expected:
            raise ValueError(
                f"expected saved outputs with {', '.join(sorted(expected))}; "
                f"found {', '.join(sorted(found)) or 'nothing'}"
            )
        try:
            identity = Identity(str(found.pop("task")), int(found.pop("seed")), str(found.pop("reference")))
            return cls(identity, **found, probes=probes)
        except (TypeError, OverflowError) as error:
            raise ValueError(f"expected numbers in all arrays; {error}") from error

    @classmethod
    def of_rows(cls, identity: Identity, rows: list[dict[str, NDArray]], models: int) -> "Outputs":
        """The first ``models`` models of rows that each hold the arrays of some of them, in order."""

        def joined(name: str) -> NDArray:
            return np.concatenate([row[name] for row in rows])[:models]

        probes = {name: joined(name) for name in rows[0] if name.startswith(PROBES)}
        return cls(identity, **{name: joined(name) for name in ARRAYS}, probes=probes)


ARRAYS = tuple(one.name for one in fields(Outputs) if one.name not in ("identity", "probes"))
"""The names of the arrays that outputs consist of."""
