"""Why a figure has no value, and how its interval was made, in words."""

from typing import Any

from django import template
from django.utils.translation import gettext_lazy

register = template.Library()

REASONS = {
    "no_overlap": gettext_lazy("no item has answers of two people"),
    "one_class": gettext_lazy("every answer is the same, so agreement by chance cannot be told apart"),
    "one_annotator": gettext_lazy("only one person has answered"),
    "too_few_annotators": gettext_lazy(
        "fewer than three people, so nothing can be said about others like them"
    ),
    "too_few_items": gettext_lazy("too few items have answers of two people"),
    "negative_values": gettext_lazy("the ratio level is not defined for numbers below zero"),
    "not_crossed": gettext_lazy("it takes items that everybody has answered"),
    "items_alike": gettext_lazy(
        "the items do not differ from each other, so nobody can be seen to tell them apart"
    ),
    "chosen_items": gettext_lazy(
        "a strategy chose many of the labelled items because they are hard for the model, whose mistakes would count "
        "as people's"
    ),
    "model_too_weak": gettext_lazy(
        "the model is right on too few of the held-out labels to judge people by it"
    ),
}
METHODS = {
    "skewness_corrected": gettext_lazy("linearised and corrected for skewness, over items"),
    "linearised": gettext_lazy("linearised, over items"),
    "delta": gettext_lazy("large samples (Fleiss, Cohen and Everitt)"),
    "wilson": gettext_lazy("Wilson's score"),
    "item_bootstrap": gettext_lazy("items drawn again"),
    "two_way": gettext_lazy("over items and people"),
    "paired_items": gettext_lazy("differences on the same items"),
    "posterior": gettext_lazy("credible, under the model"),
    "exact": gettext_lazy("exact distribution"),
    "newcombe": gettext_lazy("Newcombe's, of two shares"),
    "variance_ratio": gettext_lazy("ratios of variances"),
}


@register.filter
def reason(figure: dict[str, Any]) -> str:
    """Why the figure has no value; nothing where it has one."""
    said = figure.get("reason") or ""
    return str(REASONS.get(said, said))


@register.filter
def method(figure: dict[str, Any]) -> str:
    """How the interval was made; nothing where there is none."""
    said = figure.get("method") or ""
    return str(METHODS.get(said, said))
