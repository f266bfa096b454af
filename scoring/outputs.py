"""Outputs: what the models of a pool answered. The only thing that is judged."""

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class Outputs:
    """The answers of N models to F forget and T test examples; also one file on disk.

    Attributes:
        forget_confidence: [N, F] float64, logit-scaled confidences in nats.
        test_confidence: [N, T] likewise, on the test set.
        retain_accuracy, forget_accuracy, validation_accuracy, test_accuracy: [N] float64 in [0, 1].
        seconds: [N] float64, what making each model took, without judging it; NaN where nobody here saw it.
        seeds: [N] uint64, what each was seeded with; 0 where nobody here saw it.

    Raises:
        ValueError: shapes that do not fit, NaN or infinite confidences, accuracies outside [0, 1].
    """

    forget_confidence: NDArray[np.float64]
    test_confidence: NDArray[np.float64]
    retain_accuracy: NDArray[np.float64]
    forget_accuracy: NDArray[np.float64]
    validation_accuracy: NDArray[np.float64]
    test_accuracy: NDArray[np.float64]
    seconds: NDArray[np.float64]
    seeds: NDArray[np.uint64]

    def __post_init__(self) -> None:
        models = len(self)
        for name, values in self.arrays().items():
            axes = 2 if name.endswith("confidence") else 1
            if values.ndim != axes or len(values) != models:
                raise ValueError(
                    f"{name}: expected {axes} axes, the first of {models} models; found shape {values.shape}"
                )
            unseen = np.isnan(values) if name == "seconds" else False
            if not (np.isfinite(values) | unseen).all():
                raise ValueError(f"{name}: {np.sum(~np.isfinite(values))} values are NaN or infinite")
            if name.endswith("accuracy") and not ((values >= 0) & (values <= 1)).all():
                raise ValueError(f"{name}: expected shares from 0 to 1, found {values.min()} to {values.max()}")

    def __len__(self) -> int:
        return len(self.forget_confidence)

    def arrays(self) -> dict[str, NDArray]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to_bytes(self) -> bytes:
        """The content of the file: an uncompressed ``.npz`` of the fields and ``schema_version``."""
        buffer = io.BytesIO()
        np.savez(buffer, schema_version=SCHEMA_VERSION, **self.arrays())  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def load(cls, path: Path) -> "Outputs":
        """Read a file that ``to_bytes`` filled.

        Raises:
            ValueError: the file is damaged, is something else, or follows another schema.
            OSError: it cannot be read at all.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path}: expected saved outputs as `make score` writes them; this is no whole .npz"
            ) from error
        version = arrays.pop("schema_version", None)
        expected = {field.name for field in fields(cls)}
        if version is None or set(arrays) != expected:
            raise ValueError(
                f"{path}: expected saved outputs with {', '.join(sorted(expected))}; "
                f"found {', '.join(sorted(arrays)) or 'nothing'}"
            )
        if version != SCHEMA_VERSION:
            raise ValueError(
                f"{path}: expected schema version {SCHEMA_VERSION}, found {version}; make the outputs again"
            )
        try:
            return cls(**arrays)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def of_rows(cls, rows: list[dict[str, NDArray]], models: int) -> "Outputs":
        """The first ``models`` models of rows that each hold the fields for some of them, put together in order."""
        return cls(**{field.name: np.concatenate([row[field.name] for row in rows])[:models] for field in fields(cls)})
