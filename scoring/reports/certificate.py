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
        f"Tried: {tried}. Compared: the {certificate.tensors} tensors that each model holds, and its answers.",
        "Not shown: other seeds and requests; requests chosen by someone who has seen the model; that a model in use "
        "was made by this code.",
    ]
