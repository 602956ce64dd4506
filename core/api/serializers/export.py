"""What the rows of the files look like in JSON."""

from rest_framework import serializers

from core.choices import Cause, Pass


class AnnotationRow(serializers.Serializer[dict[str, object]]):
    """One answer."""

    item = serializers.CharField()
    annotator = serializers.CharField(help_text="A pseudonym unless names were asked for.")
    question = serializers.CharField()
    value = serializers.JSONField(help_text="A class, a list of classes, a number or a text.")
    uncertain = serializers.BooleanField()
    locals()["pass"] = serializers.ChoiceField(Pass.choices)
    repeat = serializers.IntegerField()
    revision = serializers.IntegerField()
    item_version = serializers.IntegerField()
    guideline_version = serializers.IntegerField()
    suggestion = serializers.JSONField(allow_null=True)
    elapsed_ms = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True, help_text="What an imported file said.")
    batch = serializers.IntegerField()
    raw_value = serializers.JSONField(
        allow_null=True,
        help_text="What was answered, where the mappings in force read it as `value`; else null.",
    )
    mapping = serializers.IntegerField(help_text="How many mappings had been applied or reverted by then.")


class LabelRow(serializers.Serializer[dict[str, object]]):
    """The label of one item."""

    item = serializers.CharField()
    question = serializers.CharField()
    value = serializers.JSONField(allow_null=True, help_text="Null where several values tie.")
    how = serializers.ChoiceField(["majority", "mean", "gold", "one_coin", "dawid_skene", "adjudicated"])
    rule = serializers.ChoiceField(
        [
            "majority_of_certain",
            "majority_of_uncertain",
            "majority_per_class",
            "mean",
            "gold",
            "one_coin",
            "dawid_skene",
            "adjudicated",
        ]
    )
    confidence = serializers.FloatField(
        allow_null=True,
        help_text="Share of the n answers behind the value; by a model, its posterior probability.",
    )
    n = serializers.IntegerField(help_text="Answers that voted.")
    n_uncertain = serializers.IntegerField(help_text="Answers 'I cannot tell' that had no vote.")
    tied = serializers.ListField(child=serializers.CharField(allow_blank=True))
    gold = serializers.JSONField(allow_null=True)
    batch = serializers.IntegerField()
    cause = serializers.ChoiceField(
        Cause.choices,
        allow_null=True,
        allow_blank=True,
        help_text="Why people differed, where a person settled it.",
    )
    settled_at = serializers.DateTimeField(allow_null=True)
    cannot_tell = serializers.FloatField(
        allow_null=True, help_text="The share of the answers that say 'I cannot tell'; null without answers."
    )
    told_apart = serializers.BooleanField(
        allow_null=True,
        help_text="False where most could not tell: that the item has no other class is not to be trusted there.",
    )
    mapping = serializers.IntegerField(help_text="How many mappings had been applied or reverted by then.")
