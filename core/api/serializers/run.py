"""Shapes of runs and their predictions."""

from typing import Any

from rest_framework import serializers


class PredictionIn(serializers.Serializer[Any]):
    """What a run says about one question of one item."""

    item_id = serializers.CharField()
    question = serializers.CharField()
    label = serializers.JSONField()  # type: ignore[assignment]
    prob = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1), required=False, help_text="By class."
    )


class RunRequest(serializers.Serializer[Any]):
    """A run of an outside model, with up to 10,000 predictions; more come as a file."""

    name = serializers.CharField(max_length=120)
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
