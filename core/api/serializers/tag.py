"""Shapes of tags."""

from typing import Any

from rest_framework import serializers


class TagLine(serializers.Serializer[Any]):
    """A tag and how many items have it."""

    name = serializers.CharField()
    n_items = serializers.IntegerField()


class TagRequest(serializers.Serializer[Any]):
    """A tag for items, which are named by their ids."""

    name = serializers.CharField(max_length=80)
    items = serializers.ListField(child=serializers.CharField(), min_length=1, max_length=1000)


class TagChange(serializers.Serializer[Any]):
    """How many items have another set of tags now."""

    name = serializers.CharField()
    changed = serializers.IntegerField()
