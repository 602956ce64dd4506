"""How far people agree on one question: the report of the API, as JSON or in a few lines."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.choices import ItemsChoice, Level, Uncertain
from core.exceptions import DomainError
from core.models import Project
from core.pipelines.agreement import INTERVALS, WEIGHTS, agreement_report

SCALES = {"landis_koch": "Landis and Koch", "altman": "Altman", "krippendorff": "Krippendorff, lower end"}


class Command(BaseCommand):
    """With ``--json`` one JSON document on standard output and nothing else."""

    help = "Report how far people agree on a question of the project SLUG."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What the API takes, as options."""
        parser.add_argument("slug")
        parser.add_argument("--question", help="its key; may be left out where there is only one")
        parser.add_argument("--level", choices=Level.values, help="default: by the question's kind")
        parser.add_argument("--uncertain", choices=Uncertain.values, default=Uncertain.CLASS.value)
        parser.add_argument("--items", choices=ItemsChoice.values, default=ItemsChoice.ALL.value)
        parser.add_argument("--slice", help="meta.<key>:<value> or tag:<name>")
        parser.add_argument("--by", help="guideline, batch, month, tag or meta.<key>")
        parser.add_argument(
            "--weights",
            help=f"{', '.join(WEIGHTS)}, or a JSON table in the order of the classes; default: by the level",
        )
        parser.add_argument(
            "--interval",
            choices=INTERVALS,
            default=INTERVALS[0],
            help="of the coefficients: for these labelers and other items (three ways), or for other labelers too",
        )
        parser.add_argument(
            "--readings", action="store_true", help="add the three readings of uncertain answers"
        )
        parser.add_argument("--repeat", type=int, default=1)
        parser.add_argument("--annotators", choices=["pseudonym", "name"], default="pseudonym")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, **options: Any) -> None:
        """A refusal is one line on standard error and exit status 1."""
        project = Project.objects.filter(slug=options["slug"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['slug']!r}.")
        try:
            report = agreement_report(
                project,
                options["question"],
                level=options["level"],
                uncertain=options["uncertain"],
                items=options["items"],
                slice=options["slice"],
                by=options["by"],
                repeat=options["repeat"],
                weights=options["weights"],
                interval=options["interval"],
                readings=options["readings"],
                real_names=options["annotators"] == "name",
            )
        except DomainError as error:
            raise CommandError(error.detail) from None
        if options["as_json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False, allow_nan=False))
        else:
            self.stdout.write(_in_words(report))


def _in_words(report: dict[str, Any]) -> str:
    head = f"{report['question']} ({report['level']}, uncertain answers as {report['uncertain']})"
    counts = f"{report['n_annotations']:,} answers of {report['n_annotators']:,} people"
    items = f"{report['n_items']:,} items, {report['n_items_used']:,} with two or more"
    lines = [f"{head}: {counts} on {items}"]
    for name, figure in report["coefficients"].items():
        lines.append(f"{name:20} {_figure(figure)}")
    for part in ("weighted", "sets", "texts", "intraclass"):
        for name, figure in (report[part] or {}).items():
            lines.append(f"{_heading(report, part, name):20} {_figure(figure)}")
    lines.extend(
        f"{verdict['level'].replace('_', ' ')} ({SCALES[verdict['scale']]}, probability "
        f"{verdict['probability']:.2f})"
        for verdict in report["verdicts"]
    )
    if report["against_gold"]:
        figure = report["against_gold"]["majority_accuracy_fractional_ties"]
        lines.append(f"majority against gold {_figure(figure)}, {report['against_gold']['n_items']:,} items")
    return "\n".join(lines)


def _heading(report: dict[str, Any], part: str, name: str) -> str:
    return f"{report['weights']} {name}" if part == "weighted" else name


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return f"none ({figure['reason']})"
    interval = f" ({figure['ci'][0]:.3f} to {figure['ci'][1]:.3f})" if figure["ci"] else ""
    return f"{figure['value']:.3f}{interval}"
