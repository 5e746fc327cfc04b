"""The datasheet: questions after Gebru et al., "Datasheets for Datasets" (2021), answered as far as phq can.

An answer of phq is a quotation (``>``); all else under a question is the maintainer's, and is kept when the sheet is
made again. Where phq cannot know, a line asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from phq.exchange.publish.facts import Facts

BLANK = "*To be answered by the maintainer.*"
_QUESTION, _QUOTE = "### ", ">"


@dataclass(frozen=True)
class Question:
    """One question."""

    text: str
    answer: Callable[[Facts], Iterable[str]] | None = None
    """Lines of what phq knows; None if nothing."""
    open: bool = False
    """Whether the maintainer is asked as well."""


SECTIONS: dict[str, tuple[Question, ...]] = {
    "Motivation": (
        Question("Why was the dataset made?"),
        Question("Who made it, and for whom?"),
        Question("Who paid for it?"),
    ),
    "Composition": (
        Question("What is a sample?", Facts.samples),
        Question("How many samples are there, and how are they split?", Facts.counts),
        Question("Is it all there is, or a selection?", Facts.selection, open=True),
        Question("From which directions are people seen?", Facts.directions),
        Question("How good are the labels?", Facts.doubt),
        Question("Were labels revised?", Facts.revisions),
        Question("How are samples related?", Facts.relations),
        Question("Can people be recognised, and what is said of them?", Facts.people, open=True),
        Question("Which groups of people are in it, and how many of each?"),
        Question("Is anything in it confidential, offensive or frightening?"),
    ),
    "Collection": (
        Question("Where are the photos from, and who took them?", Facts.sources, open=True),
        Question("Who collected them, how, and over what time?"),
        Question("Was the collection reviewed for its ethics?"),
        Question("Did the people in the photos agree?", Facts.consent, open=True),
        Question("How can they take that back, and whom do they write to?"),
    ),
    "Processing": (
        Question("Which software and models made the labels?", Facts.models),
        Question("Which thresholds was it filtered by?", Facts.thresholds),
        Question("Are the photos themselves kept, and can others have them?"),
    ),
    "Uses": (
        Question("What has it been used for?"),
        Question("What should it not be used for?"),
        Question("What about its making may harm somebody, and what was done against it?"),
    ),
    "Distribution": (
        Question("Under which licences?", Facts.licences, open=True),
        Question("Do others have rights in it, or laws restrict it?"),
    ),
    "Maintenance": (
        Question("Who maintains it, and how are they reached?"),
        Question("What was removed?", Facts.removals),
        Question("Will it be changed, and how do users learn of it?"),
        Question("Can others add to it?"),
    ),
}
"""Questions by section."""


def datasheet(facts: Facts, answers: Mapping[str, str]) -> str:
    """The sheet as Markdown.

    Args:
        facts: what phq knows.
        answers: the maintainer's, see `answers_in`.
    """
    return "\n".join(_lines(facts, answers)) + "\n"


def _lines(facts: Facts, answers: Mapping[str, str]) -> Iterator[str]:
    yield "# Datasheet"
    yield ""
    yield "After Gebru et al., *Datasheets for Datasets* (2021). Quotations are written by phq from the dataset; the"
    yield "rest is the maintainer's, and stays when the sheet is made again."
    for section, questions in SECTIONS.items():
        yield from ("", f"## {section}")
        for question in questions:
            yield from ("", f"{_QUESTION}{question.text}")
            if question.answer is not None:
                yield ""
                yield from (f"{_QUOTE} {line}".rstrip() for line in question.answer(facts))
            mine = answers.get(question.text, "")
            if mine or question.open or question.answer is None:
                yield from ("", mine or BLANK)


def answers_in(text: str) -> dict[str, str]:
    """The maintainer's answers in a sheet, by question; without those that were not given."""
    found = {}
    for block in f"\n{text}".replace("\r\n", "\n").split(f"\n{_QUESTION}")[1:]:
        question, _, rest = block.partition("\n")
        lines = rest.partition("\n## ")[0].split("\n")
        mine = "\n".join(line for line in lines if not line.startswith(_QUOTE) and line.strip() != BLANK).strip()
        if mine:
            found[question.strip()] = mine
    return found


def open_questions(text: str) -> int:
    """Questions of a sheet that wait for the maintainer."""
    return text.split("\n").count(BLANK)
