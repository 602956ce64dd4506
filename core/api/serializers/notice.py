"""Shapes of what members are told within the app."""

from rest_framework import serializers

from core.choices import NoticeKind

Shape = serializers.Serializer[dict[str, object]]


class NoticeOut(Shape):
    """Something that the caller is told."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(NoticeKind.choices)
    locals()["data"] = serializers.DictField(
        help_text="Ids, counts and names; what is in it goes by the kind."
    )
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class NoticeList(Shape):
    """Some notices, newest first."""

    next = serializers.CharField(allow_null=True)
    unread = serializers.IntegerField(help_text="All that are unread.")
    results = NoticeOut(many=True)


class ReadRequest(Shape):
    """Which notices were read: one, those up to one, or all."""

    notice = serializers.IntegerField(required=False, min_value=1, help_text="Its id.")
    until = serializers.IntegerField(
        required=False, min_value=1, help_text="The id of the newest that was shown."
    )


class ReadOut(Shape):
    """What was marked."""

    read = serializers.IntegerField()
    unread = serializers.IntegerField()
