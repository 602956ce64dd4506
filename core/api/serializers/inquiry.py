"""Shapes of questions about items."""

from rest_framework import serializers

from core.choices import InquiryState
from core.services.inquiry import LONGEST_ANSWER, LONGEST_TEXT

Shape = serializers.Serializer[dict[str, object]]


class AskRequest(Shape):
    """A question about an item in hand (`lease`), or about one that the caller has in hand or has answered (`item`)."""

    lease = serializers.UUIDField(required=False)
    item = serializers.CharField(required=False, trim_whitespace=False, help_text="The id of the item.")
    text = serializers.CharField(max_length=LONGEST_TEXT)


class AnswerRequest(Shape):
    """What a lead answers."""

    answer = serializers.CharField(max_length=LONGEST_ANSWER)


class InquiryOut(Shape):
    """What somebody asked, and what became of it."""

    id = serializers.IntegerField()
    item = serializers.CharField()
    annotator = serializers.CharField()
    text = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(InquiryState.choices)
    answer = serializers.CharField(allow_blank=True)
    answered_by = serializers.CharField(allow_null=True, help_text="For leads.")
    answered_at = serializers.DateTimeField(allow_null=True)
    guideline_version = serializers.IntegerField(
        allow_null=True, help_text="The version of the guideline that made a rule of it."
    )
    created_at = serializers.DateTimeField()
    revision = serializers.CharField(help_text="To be sent in If-Match with an answer.")


class AskedOut(Shape):
    """The question that was put."""

    inquiry = InquiryOut()


class InquiryList(Shape):
    """Some questions, newest first."""

    next = serializers.CharField(allow_null=True)
    results = InquiryOut(many=True)
