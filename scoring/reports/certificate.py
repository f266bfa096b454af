"""What a certificate says, in sentences."""

from scoring.judging.certificate import Certificate
from starter_kit.errors import quoted


def sentences(name: str, certificate: Certificate) -> list[str]:
    """The result, what was tried, and what it cannot show."""
    tried = ", ".join(certificate.requests)
    found = [f"{quoted(name)} is {certificate}."]
    if not certificate.exact:
        return found
    return [
        *found,
        f"Tested: {tried}. Compared: {certificate.tensors} tensors per model, including its answers.",
        "Not covered: other seeds and requests; requests chosen after seeing the model; what the file keeps outside "
        "the model (globals, class attributes); whether a deployed model was produced by this code.",
    ]
