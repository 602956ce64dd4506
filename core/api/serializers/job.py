"""Shapes of jobs."""

from typing import Any

from rest_framework import serializers

from core.choices import JobKind, JobState


class JobOut(serializers.Serializer[Any]):
    """A job."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=JobKind.choices)
    state = serializers.ChoiceField(choices=JobState.choices)
    progress = serializers.FloatField()
    result = serializers.DictField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    attempts = serializers.IntegerField()
    cancel_requested = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
