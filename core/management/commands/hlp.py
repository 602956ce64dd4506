"""How good people are on one question, and a run beside them: the report of the API, as JSON or in a few lines."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.choices import ItemsChoice, Uncertain
from core.exceptions import DomainError
from core.models import Project
from core.pipelines.hlp import EPSILON, MARGIN, hlp_report


class Command(BaseCommand):
    """With ``--json`` one JSON document on standard output and nothing else."""

    help = "Report human-level performance on a question of the project SLUG, and a model's run beside it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What the API takes, as options."""
        parser.add_argument("slug")
        parser.add_argument("--question", help="its key; may be left out where there is only one")
        parser.add_argument("--run", help="name or number of a run")
        parser.add_argument("--uncertain", choices=Uncertain.values, default=Uncertain.CLASS.value)
        parser.add_argument("--items", choices=ItemsChoice.values, default=ItemsChoice.ALL.value)
        parser.add_argument("--slice", help="meta.<key>:<value> or tag:<name>")
        parser.add_argument("--by", help="batch or meta.<key>")
        parser.add_argument("--margin", type=float, default=MARGIN)
        parser.add_argument("--epsilon", type=float, default=EPSILON)
        parser.add_argument("--annotators", choices=["pseudonym", "name"], default="pseudonym")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, **options: Any) -> None:
        """A refusal is one line on standard error and exit status 1."""
        project = Project.objects.filter(slug=options["slug"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['slug']!r}.")
        try:
            report = hlp_report(
                project,
                options["question"],
                uncertain=options["uncertain"],
                items=options["items"],
                slice=options["slice"],
                by=options["by"],
                run=options["run"],
                margin=options["margin"],
                epsilon=options["epsilon"],
                real_names=options["annotators"] == "name",
            )
        except DomainError as error:
            raise CommandError(error.detail) from None
        if options["as_json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False, allow_nan=False))
        else:
            self.stdout.write(_in_words(report))


def _in_words(report: dict[str, Any]) -> str:
    counts = f"{report['n_annotations']:,} answers of {report['n_annotators']:,} people"
    lines = [
        f"{report['question']}: {counts} on {report['n_items']:,} items",
        f"{'headline':20} {report['headline']} ({report['headline_reason']})",
    ]
    lines += [f"{name:20} {_figure(report[name])}" for name in ("gold", "between_humans", "leave_one_out")]
    lines.append(f"{'ceiling':20} {_figure(report['ceiling']['posterior'])}")
    model = report["model"]
    if model is not None:
        lines.append(f"{'run':20} {report['run']['name']}")
        lines += [
            f"{name:20} {_figure(model[name])}, {model[name]['n_items']:,} items"
            for name in ("score", "human", "difference")
        ]
        needed = f", about {model['needed']:,} more items would tell" if model["needed"] else ""
        imitates = ", imitates the majority" if model["imitates_majority"] else ""
        verdict = f"{model['verdict'].replace('_', ' ')} ({model['verdict_reason']}){imitates}{needed}"
        lines.append(f"{'verdict':20} {verdict}")
    return "\n".join(lines)


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return f"none ({figure['reason']})"
    interval = f" ({figure['ci'][0]:.3f} to {figure['ci'][1]:.3f})" if figure["ci"] else ""
    return f"{figure['value']:.3f}{interval}"
