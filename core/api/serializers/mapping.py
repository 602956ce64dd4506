"""Shapes of mappings, what-ifs of mergers and suggested pairs."""

from typing import Any

from rest_framework import serializers

from core.api.serializers.agreement import AgreementReport, Figure
from core.api.serializers.hlp import HlpReport
from core.choices import ItemsChoice, MappingKind, Uncertain

Shape = serializers.Serializer[dict[str, Any]]
MERGE_EXAMPLE = {
    "kind": "merge",
    "question": "emotion",
    "classes": ["anger", "annoyance"],
    "into": "anger",
    "note": "Nobody can tell them apart.",
}
RENAME_EXAMPLE = {"kind": "rename", "question": "emotion", "class": "anger", "name": "anger or annoyance"}
STANDARDISE_EXAMPLE = {
    "kind": "standardise",
    "question": "reason",
    "rules": [{"from": "umm", "to": "um"}, {"pattern": "u+m+", "to": "um"}],
}
PREVIEW_EXAMPLE = {
    "question": "emotion",
    "merges": [{"classes": ["anger", "annoyance"], "into": "anger", "name": "anger or annoyance"}],
}


class MergeDocument(Shape):
    """Current classes by name that are to be read as one of them."""

    classes = serializers.ListField(child=serializers.CharField(allow_blank=True))
    into = serializers.CharField(allow_blank=True)
    name = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, help_text="What the result is called from then on."
    )


class MergePreviewRequest(Shape):
    """Mergers, one after the other."""

    question = serializers.CharField(required=False, help_text="May be left out where one has classes.")
    merges = MergeDocument(many=True)
    uncertain = serializers.ChoiceField(choices=Uncertain.choices, required=False, default="class")
    items = serializers.ChoiceField(choices=ItemsChoice.choices, required=False, default="all")


class TextRuleDocument(Shape):
    """A text, or what an RE2 pattern matches as a whole, and what it is read as."""

    locals()["from"] = serializers.CharField(required=False)
    pattern = serializers.CharField(required=False)
    to = serializers.CharField(allow_blank=True)


class MappingRequest(Shape):
    """A mapping: `merge` takes classes, into and name; `rename` class and name; `standardise` rules."""

    kind = serializers.ChoiceField(choices=MappingKind.choices)
    question = serializers.CharField()
    classes = serializers.ListField(child=serializers.CharField(allow_blank=True), required=False)
    into = serializers.CharField(required=False, allow_blank=True)
    locals()["class"] = serializers.CharField(required=False, allow_blank=True)
    name = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    rules = TextRuleDocument(many=True, required=False)
    note = serializers.CharField(required=False, allow_blank=True)


class MappingOut(Shape):
    """A mapping in the words that its classes have at present; in force while `reverted_at` is null."""

    id = serializers.IntegerField()
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=MappingKind.choices)
    question = serializers.CharField()
    classes = serializers.ListField(child=serializers.CharField(allow_blank=True))
    into = serializers.CharField(allow_null=True, allow_blank=True)
    name = serializers.ListField(
        child=serializers.CharField(allow_blank=True), allow_null=True, help_text="[before, after]"
    )
    rules = TextRuleDocument(many=True)
    note = serializers.CharField(allow_blank=True)
    by = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()
    reverted_by = serializers.CharField(allow_null=True)
    reverted_at = serializers.DateTimeField(allow_null=True)


class MappingList(Shape):
    """Newest first."""

    mapping_version = serializers.IntegerField(help_text="How many mappings were applied or reverted so far.")
    next = serializers.CharField(allow_null=True)
    results = MappingOut(many=True)


class TwoFigures(Shape):
    """The coefficients that what-ifs compare."""

    percent_agreement = Figure()
    krippendorff_alpha = Figure()


class SuggestedPair(Shape):
    """Two classes that were said of one item."""

    a = serializers.CharField(allow_blank=True)
    b = serializers.CharField(allow_blank=True)
    ids = serializers.ListField(child=serializers.IntegerField())
    cannot_tell = serializers.FloatField(
        help_text="Probability that people agree by less than .1 beyond chance on which of the two it is."
    )
    told_apart = Figure(help_text="Krippendorff's alpha over the answers for either of the two.")
    n = serializers.IntegerField(help_text="Pairs of answers on one item that say one and the other.")
    n_a = serializers.IntegerField()
    n_b = serializers.IntegerField()
    after = TwoFigures(help_text="What the report would say after the merger.")
    entropy_lost = serializers.FloatField(help_text="In bits, of H = -Σ p log2 p of the classes' shares.")
    refused = serializers.CharField(allow_null=True, help_text="Why the two cannot be merged.")


class CountedClass(Shape):
    """A current class, and how many answers that count are read as it."""

    id = serializers.IntegerField()
    name = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()


class SuggestedMerges(TwoFigures):
    """The pairs, those that people cannot tell apart first; at most 100."""

    project = serializers.CharField()
    question = serializers.CharField()
    uncertain = serializers.CharField()
    mapping_version = serializers.IntegerField()
    classes = CountedClass(many=True)
    n_pairs = serializers.IntegerField()
    pairs = SuggestedPair(many=True)


class Rows(Shape):
    """What would be read otherwise."""

    answers = serializers.IntegerField()
    of_answers = serializers.IntegerField()
    items = serializers.IntegerField()
    of_items = serializers.IntegerField()
    gold = serializers.IntegerField()
    predictions = serializers.IntegerField()
    classes_before = serializers.IntegerField()
    classes_after = serializers.IntegerField()


class Labels(Shape):
    """Labels by vote, and how many of them tie."""

    n = serializers.IntegerField()
    tied_before = serializers.IntegerField()
    tied_after = serializers.IntegerField()


class AgreementWhatIf(Shape):
    """The reports as they are and as they would be; `difference` on the same items."""

    before = AgreementReport()
    after = AgreementReport()
    difference = TwoFigures()


class HlpDifference(Shape):
    """After minus before on the same items."""

    between_humans = Figure()
    gold = Figure()


class HlpWhatIf(Shape):
    """As of agreement."""

    before = HlpReport()
    after = HlpReport()
    difference = HlpDifference()


class BeforeAfter(Shape):
    """A figure before, after, and the paired difference."""

    before = Figure()
    after = Figure()
    difference = Figure()


class MergedRun(Shape):
    """A run."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class ModelWhatIf(Shape):
    """The newest run trained for the question, on the holdout: its confusion merged, the model not trained again."""

    run = MergedRun()
    macro_f1 = BeforeAfter()
    trained_again = serializers.BooleanField()


class InformationLost(Shape):
    """In bits. Entropy H = -Σ p log2 p of the classes' shares among all answers; what one person's answer tells of
    another's to the same item: I = 2 H - H(pairs).
    """

    entropy_before = serializers.FloatField()
    entropy_after = serializers.FloatField()
    lost = Figure()
    lost_share = serializers.FloatField(allow_null=True)
    shared_before = serializers.FloatField()
    shared_after = serializers.FloatField()
    shared_lost = Figure()
    shared_lost_share = serializers.FloatField(allow_null=True)


class MergePreviewOut(Shape):
    """What mergers would do."""

    project = serializers.CharField()
    question = serializers.CharField()
    uncertain = serializers.CharField()
    items = serializers.CharField()
    mapping_version = serializers.IntegerField()
    merges = MergeDocument(many=True)
    classes = serializers.ListField(child=serializers.CharField(allow_blank=True))
    rows = Rows()
    labels = Labels(allow_null=True)
    agreement = AgreementWhatIf()
    hlp = HlpWhatIf(allow_null=True)
    model = ModelWhatIf(allow_null=True)
    information = InformationLost(allow_null=True)
