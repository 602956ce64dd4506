"""Shapes of runs and their predictions."""

from typing import Any

from rest_framework import serializers

from core.choices import RunKind


class PredictionIn(serializers.Serializer[Any]):
    """What a run says about one question of one item."""

    item_id = serializers.CharField()
    question = serializers.CharField()
    label = serializers.JSONField()  # type: ignore[assignment]
    prob = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1), required=False, help_text="By class."
    )


class TrainRequest(serializers.Serializer[Any]):
    """What to train: by default the first question that a model can learn, with seed 0."""

    question = serializers.CharField(required=False, allow_null=True)
    seed = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2**31 - 1)
    name = serializers.CharField(max_length=120, required=False, allow_null=True)
    weak_run = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="A run whose labels are learnt from besides, with weight 0.3.",
    )


class RunRequest(serializers.Serializer[Any]):
    """A run of an outside model, with up to 10,000 predictions (more come as a file); or only ``train``."""

    train = TrainRequest(required=False)
    name = serializers.CharField(max_length=120, required=False)
    code_version = serializers.CharField(max_length=120, required=False, allow_blank=True)
    parameters = serializers.DictField(required=False)
    seed = serializers.IntegerField(required=False, allow_null=True)
    predictions = PredictionIn(many=True, required=False)


class RunQuestion(serializers.Serializer[Any]):
    """How many items a run has answered a question on."""

    question = serializers.CharField()
    n = serializers.IntegerField()


class RunOut(serializers.Serializer[Any]):
    """A run."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=RunKind.choices)
    question = serializers.CharField(allow_null=True, help_text="That a model was trained for here.")
    features = serializers.IntegerField(allow_null=True, help_text="Version of the features.")
    labels_digest = serializers.CharField(
        allow_blank=True, help_text="A hash of the labels that were learnt."
    )
    n_labels = serializers.IntegerField()
    n_uncertain = serializers.IntegerField()
    metrics = serializers.DictField(
        allow_null=True, help_text="Quality on the holdout; figures by class for one run."
    )
    has_model = serializers.BooleanField()
    code_version = serializers.CharField(allow_blank=True)
    parameters = serializers.DictField()
    seed = serializers.IntegerField(allow_null=True)
    n_predictions = serializers.IntegerField()
    questions = RunQuestion(many=True)
    created_at = serializers.DateTimeField()


class RunList(serializers.Serializer[Any]):
    """A page of runs."""

    next = serializers.CharField(allow_null=True)
    results = RunOut(many=True)


class ScoreRequest(serializers.Serializer[Any]):
    """Either ``items`` or ``data``, at most 1,000 of them."""

    items = serializers.JSONField(required=False, help_text='Ids of items, or "all".')
    data = serializers.ListField(  # type: ignore[assignment]
        child=serializers.DictField(),
        required=False,
        max_length=1000,
        help_text="Objects with the fields of items.",
    )
