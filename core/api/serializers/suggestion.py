"""Shapes of what is suggested to annotators."""

from typing import Any

from rest_framework import serializers

from core.api.serializers.agreement import Figure

Shape = serializers.Serializer[Any]


class SuggestionsRequest(Shape):
    """What is to change; only what is named."""

    run = serializers.IntegerField(
        required=False, allow_null=True, help_text="A run's number, or its name; null: nothing is suggested."
    )
    sure = serializers.FloatField(
        required=False, help_text="Only answers that the run holds at least this probable."
    )
    withheld = serializers.FloatField(
        required=False, help_text="The share of these items on which nothing is shown, at most 0.9."
    )


class SuggestedRun(Shape):
    """The run whose answers are suggested."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class Effect(Shape):
    """How often people said what the run says: with it in sight, withheld, and the difference."""

    question = serializers.CharField()
    shown = Figure()
    withheld = Figure()
    difference = Figure()


class SuggestionsOut(Shape):
    """What is suggested, and what that does."""

    run = SuggestedRun(allow_null=True)
    sure = serializers.FloatField()
    withheld = serializers.FloatField()
    effect = Effect(many=True)
