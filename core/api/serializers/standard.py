"""Shapes of groups of free-text answers, and of what rules would do to them."""

from typing import Any

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.api.serializers.mapping import TextRuleDocument
from core.choices import ItemsChoice

Shape = serializers.Serializer[dict[str, Any]]
PREVIEW_EXAMPLE = {"rules": [{"from": "umm", "to": "um"}, {"pattern": "u+m+", "to": "um"}]}


class TextFigures(Shape):
    """Agreement on texts."""

    percent_agreement = Figure()
    krippendorff_alpha = Figure()


class TextAgreement(Shape):
    """Agreement as it is, as it would be, and the difference on the same items."""

    before = TextFigures()
    after = TextFigures()
    difference = TextFigures()


class TextVariant(Shape):
    """A form that is likely a spelling of its group's."""

    text = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()
    confidence = serializers.FloatField()


class TextCluster(Shape):
    """Answers that are likely one; `gain` is what percent agreement would rise by were this group alone one."""

    canonical = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()
    n_answers = serializers.IntegerField()
    variants = TextVariant(many=True)
    gain = serializers.FloatField(allow_null=True)


class TextVariants(Shape):
    """Groups of answers that are likely one, those with the most answers first."""

    project = serializers.CharField()
    question = serializers.CharField()
    mapping_version = serializers.IntegerField()
    n_answers = serializers.IntegerField()
    n_texts = serializers.IntegerField()
    clusters = TextCluster(many=True)
    cut = serializers.IntegerField(help_text="How many further groups there are.")
    all = TextAgreement()


class StandardPreviewRequest(Shape):
    """Rules, in their order, after those in force."""

    rules = TextRuleDocument(many=True)
    items = serializers.ChoiceField(choices=ItemsChoice.choices, required=False, default="all")


class TextChange(Shape):
    """A text, what it would be read as, and how many answers it is."""

    locals()["from"] = serializers.CharField(allow_blank=True)
    to = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()


class TextRuleUse(Shape):
    """What one rule matches: 0 texts where nobody wrote so."""

    rule = serializers.IntegerField()
    texts = serializers.IntegerField()
    answers = serializers.IntegerField()


class TextOverlap(Shape):
    """A text on which several rules have a say, by their places, and what comes of it."""

    text = serializers.CharField(allow_blank=True)
    rules = serializers.ListField(child=serializers.IntegerField())
    to = serializers.CharField(allow_blank=True)


class StandardPreviewOut(Shape):
    """What the rules would do."""

    project = serializers.CharField()
    question = serializers.CharField()
    mapping_version = serializers.IntegerField()
    rules = TextRuleDocument(many=True)
    n_texts = serializers.IntegerField()
    n_answers = serializers.IntegerField()
    n_texts_before = serializers.IntegerField()
    n_texts_after = serializers.IntegerField()
    changes = TextChange(many=True)
    cut = serializers.IntegerField()
    per_rule = TextRuleUse(many=True)
    overlapping = TextOverlap(many=True)
    agreement = TextAgreement()
