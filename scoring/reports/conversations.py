"""What language models say about what is to be forgotten, as a table for the terminal."""

from rich.table import Table
from rich.text import Text

from scoring.reports.record import Conversation, Report, Said
from starter_kit.errors import quoted

SHOWN = 3
"""How many of the worst questions are shown, and how many typical ones."""


def table(report: Report) -> Table | None:
    """The questions with the largest epsilon and some typical ones; None for models that answer in no words."""
    if report.text is None:
        return None
    table = Table(title=Text("What the models say"), show_lines=True)
    for heading in ("question", "original", quoted(report.submission.name), "retrained", "epsilon"):
        table.add_column(Text(heading), justify="right" if heading == "epsilon" else "left")
    for name, some in zip(("worst", "typical"), chosen(report.text.conversations), strict=True):
        for one in some:
            question = Text(f"{name}: {quoted(one.question)}\n")
            question.append(quoted(one.answer), style="bold")
            epsilon = "" if one.epsilon is None else f"{one.epsilon:.2f}"
            table.add_row(question, Text(quoted(one.original)), lines(one.unlearned), lines(one.retrained), epsilon)
    table.caption = Text("Bold: the true answer. Percentages: the share of models that give this answer.")
    return table


def chosen(conversations: list[Conversation]) -> tuple[list[Conversation], list[Conversation]]:
    """The worst and some typical ones, by the epsilon of their forget examples."""
    order = sorted(conversations, key=lambda one: -1.0 if one.epsilon is None else one.epsilon)
    center = max(0, len(order) // 2 - SHOWN // 2)
    return order[::-1][:SHOWN], order[center:][:SHOWN]


def lines(said: list[Said]) -> Text:
    """The most frequent answers, one per line."""
    return Text("\n".join(f"{100 * one.share:.0f}% {quoted(one.text)}" for one in said))
