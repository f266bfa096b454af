"""Other metrics of a pool of unlearned models, reported next to the score and never part of it."""

from scoring.judging.klom import percentiles
from scoring.judging.membership import attack_accuracy
from scoring.judging.outputs import Outputs
from scoring.judging.population import population_attack
from scoring.judging.u_lira import u_lira


def verdicts(unlearned: Outputs, retrained: Outputs) -> dict[str, float | None]:
    """What each judge finds, by its name; None where there are too few examples for it.

    - attack: accuracy of the attack of the challenge's starting kit on single models; 0.5 is guessing.
    - population: area under the ROC curve of an attack on single models that knows the retrained ones; 0.5 is guessing.
    - u_lira, u_lira_tpr: U-LiRA's accuracy, and true positive rate at 1% false positives; 0.5 and 0.01 are guessing.
    - klom, klom_test: KL divergence of margins, 95th percentiles over the forget set and over the test set, in nats.
    """
    lira = u_lira(unlearned.forget_confidence, retrained.forget_confidence)
    divergence = percentiles(unlearned, retrained)
    return {
        "attack": attack_accuracy(unlearned),
        "population": population_attack(unlearned, retrained),
        "u_lira": lira.accuracy,
        "u_lira_tpr": lira.true_positive_rate,
        "klom": divergence.forget,
        "klom_test": divergence.test,
    }
