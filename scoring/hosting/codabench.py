"""A competition for Codabench: one zip that its organiser uploads, and the recipe of the image that scores there."""

from datetime import UTC, datetime
from pathlib import Path

import yaml

from scoring.banks.files import packed
from scoring.banks.words import words_of
from scoring.hosting.codabench_yaml import Column, CompetitionYaml, Leaderboard, Page, Phase, TaskOfPhase
from scoring.hosting.logo import logo
from scoring.hosting.plan import Competition
from scoring.hosting.public import KIT, PACKAGES, files_below, public_files, starting_kit, zipped
from scoring.hosting.texts import PAGES, page

IMAGE = "YOUR-ACCOUNT/unlearning-kit:1"
"""Stands for the name under which the organiser pushes the image."""

PER_DAY, PER_PERSON = 5, 100
METADATA = "command: python -m scoring.hosting.program $input $output\n"

COLUMNS = {
    "score": ("Score", "desc", 4),
    "forgetting_quality": ("Forgetting quality", "desc", 4),
    "retain_accuracy": ("Retain accuracy", "desc", 4),
    "test_accuracy": ("Test accuracy", "desc", 4),
    "epsilon": ("Median epsilon", "asc", 2),
    "time": ("Time relative to retraining", "asc", 2),
}
"""The columns of the leaderboard by the keys of scores.json: title, which end is better, decimals."""


def files_for(competition: Competition, data: Path | None) -> dict[str, bytes]:
    """What an organiser gets, by name.

    Args:
        competition: what it is about.
        data: the folder that the task reads, which the scoring program needs as well; None if there is none.

    Raises:
        InputError: the kit is not a clone, which participants need.
    """
    written = described(competition, datetime.now(UTC))
    bundle = {
        "competition.yaml": yaml.safe_dump(written.model_dump(exclude_none=True), sort_keys=False).encode(),
        written.image: logo(competition.bank.retrained, competition.bank.original),
        **{f"pages/{name}": page(name, competition, "codabench").encode() for name in PAGES.values()},
        "scoring_program.zip": zipped(program()),
        "reference_data.zip": zipped(reference(competition, data)),
        "public_data.zip": zipped(public_files(competition, "codabench")),
        "starting_kit.zip": zipped(starting_kit(competition)),
    }
    return {
        "README.md": page(
            "codabench_readme.md", competition, "codabench", image=IMAGE, per_day=PER_DAY, in_all=PER_PERSON
        ).encode(),
        "Dockerfile": (Path(__file__).parent / "Dockerfile").read_bytes(),
        **{name: (KIT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")},
        "competition.zip": zipped(bundle),
        **{f"competition/{name}": content for name, content in bundle.items()},
    }


def described(competition: Competition, start: datetime) -> CompetitionYaml:
    """The content of competition.yaml."""
    columns = [
        Column(index=index, key=key, title=title, sorting=sorting, precision=precision)
        for index, (key, (title, sorting, precision)) in enumerate(COLUMNS.items())
    ]
    task = TaskOfPhase(
        index=0,
        name=competition.task.title,
        description=f"{competition.settings.models} unlearned models against as many retrained ones.",
        scoring_program="scoring_program.zip",
        reference_data="reference_data.zip",
    )
    phase = Phase(
        index=0,
        name="Competition",
        description="Each submission is scored once.",
        start=start.strftime("%Y-%m-%d %H:%M:%S"),
        tasks=[0],
        max_submissions_per_day=PER_DAY,
        max_submissions=PER_PERSON,
        execution_time_limit=competition.seconds,
        hide_output=False,
        public_data="public_data.zip",
        starting_kit="starting_kit.zip",
    )
    board = Leaderboard(title="Leaderboard", key="main", primary_index=0, submission_rule="Force_Best", columns=columns)
    return CompetitionYaml(
        version=2,
        title=competition.title,
        description="Make a trained model forget some of its training examples.",
        image="logo.png",
        terms=f"pages/{PAGES['Rules']}",
        docker_image=IMAGE,
        registration_auto_approve=False,
        enable_detailed_results=True,
        make_programs_available=False,
        make_input_data_available=False,
        pages=[Page(title=title, file=f"pages/{name}") for title, name in PAGES.items()],
        tasks=[task],
        phases=[phase],
        leaderboards=[board],
    )


def program() -> dict[str, bytes]:
    """The scoring program: the kit's packages, and the command that Codabench runs."""
    found = {"metadata.yaml": METADATA.encode()}
    for name in PACKAGES:
        found |= files_below(KIT / name, name)
    return found


def reference(competition: Competition, data: Path | None) -> dict[str, bytes]:
    """What the scoring program compares submissions with, which participants do not see."""
    settings = competition.settings
    options = f"TASK={settings.task} MODELS={competition.bank.card.models} SEED={settings.seed}"
    return {
        "settings.json": settings.model_dump_json(indent=2).encode(),
        "bank.zip": packed(competition.bank, words_of(competition.bank.card, options)),
        **(files_below(data, "data") if data else {}),
    }
