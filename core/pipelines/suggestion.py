"""What is suggested to annotators, and what the sight of it does to their answers."""

from typing import Any

from core.models import Project, Run
from core.numerics.metrics import difference_of_proportions, proportion
from core.selectors.suggestion import arms, suggested_questions

Json = dict[str, Any]


def suggestions_document(project: Project) -> Json:
    """The settings as the API says them, and what suggestions did: ``run`` (null: off), ``sure``, ``withheld``, ``effect``."""
    run = project.suggestion_run
    return {
        "run": None if run is None else {"id": run.pk, "name": run.name},
        "sure": float(project.suggestion_sure),
        "withheld": float(project.suggestion_withheld),
        "effect": [] if run is None else suggestion_effect(run),
    }


def suggestion_effect(run: Run) -> list[Json]:
    """For every question of which the run suggested something: how often people said what it says.

    ``shown`` is that share where they saw it, ``withheld`` where it was kept from them, ``difference`` the first less
    the second (Newcombe's interval). Items were drawn into either by hash, so the difference is what the sight of a
    suggestion does: time saved on right ones and faults let through look alike in it. Each item counts with its first
    answer.
    """
    found, of = [], arms(run)
    for question in suggested_questions(run.project):
        if question.key in of:
            shown, withheld = of[question.key][True], of[question.key][False]
            told = difference_of_proportions(shown.taken, shown.n, withheld.taken, withheld.n)
            found.append(
                {
                    "question": question.key,
                    "shown": proportion(shown.taken, shown.n).to_dict(),
                    "withheld": proportion(withheld.taken, withheld.n).to_dict(),
                    "difference": told.to_dict(),
                }
            )
    return found
