"""Shape of people's work by day."""

from typing import Any

from rest_framework import serializers

from core.selectors.throughput import WorkDay


class WorkOut(serializers.Serializer[dict[str, object]]):
    """One person's work of one day (UTC). `uncertain` is the share of answers that say they cannot tell."""

    member = serializers.IntegerField()
    name = serializers.CharField()
    day = serializers.DateField()
    answers = serializers.IntegerField()
    voided = serializers.IntegerField()
    skips = serializers.IntegerField()
    median_seconds = serializers.FloatField(allow_null=True)
    uncertain = serializers.FloatField(allow_null=True)


def work_out(row: WorkDay) -> dict[str, Any]:
    """A day as the API tells it."""
    return {**row._asdict(), "day": row.day.isoformat()}
