"""The shape of a person's own record."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure

Shape = serializers.Serializer[dict[str, object]]


class GroupMeans(Shape):
    """The same figures over all people; null where nothing is known."""

    with_others = serializers.FloatField(allow_null=True)
    with_oneself = serializers.FloatField(allow_null=True)
    abstention_rate = serializers.FloatField(allow_null=True)


class RecordOnQuestion(Shape):
    """One question."""

    question = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField(help_text="Answers that count.")
    with_others = Figure()
    with_oneself = Figure()
    abstention_rate = Figure()
    gold = Figure(allow_null=True)
    group = GroupMeans()


class Record(Shape):
    """One's own figures."""

    project = serializers.CharField()
    as_of = serializers.DateTimeField()
    answered = serializers.IntegerField()
    questions = RecordOnQuestion(many=True)
