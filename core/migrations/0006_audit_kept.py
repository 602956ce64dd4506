"""The database refuses changes of the audit log.

A line may lose who somebody was, when they are erased (services.erasure): then the actor becomes nobody or a tombstone,
the thing a pseudonym; nothing else of it ever changes. PostgreSQL refuses deletion, too. SQLite has no rights and no
TRUNCATE, so that emptying a test's tables is a deletion there; whoever may write to that file could drop the trigger
as well. Django makes SQLite's tables anew when it alters them: a later change of this table must make the trigger again.
"""

from typing import Any

from django.db import migrations

KEPT = """
    NEW.id = OLD.id AND NEW.created_at = OLD.created_at AND NEW.verb = OLD.verb AND NEW.data = OLD.data
    AND NEW.project_id {same} OLD.project_id
    AND (NEW.actor_id {same} OLD.actor_id OR NEW.actor_id IS NULL
         OR EXISTS (SELECT 1 FROM core_user u WHERE u.id = NEW.actor_id AND u.username LIKE 'erased:%'))
    AND (NEW.thing = OLD.thing
         OR EXISTS (SELECT 1 FROM core_membership m WHERE m.name = NEW.thing AND m.erased_at IS NOT NULL))
"""
REFUSED = "the audit log is kept as it is"
POSTGRESQL = [
    f"""
    CREATE FUNCTION core_event_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF {KEPT.format(same="IS NOT DISTINCT FROM")} THEN RETURN NEW; END IF;
        END IF;
        RAISE EXCEPTION '{REFUSED}' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER core_event_kept BEFORE UPDATE OR DELETE ON core_event
    FOR EACH ROW EXECUTE FUNCTION core_event_kept()
    """,
]
SQLITE = [
    f"""
    CREATE TRIGGER core_event_kept BEFORE UPDATE ON core_event FOR EACH ROW WHEN NOT ({KEPT.format(same="IS")})
    BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END
    """
]
BACK = {
    "postgresql": ["DROP TRIGGER core_event_kept ON core_event", "DROP FUNCTION core_event_kept()"],
    "sqlite": ["DROP TRIGGER core_event_kept"],
}


def refuse_changes(apps: Any, schema_editor: Any) -> None:  # noqa: ARG001 -- called by Django
    """Make the trigger."""
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement, params=None)


def allow_changes(apps: Any, schema_editor: Any) -> None:  # noqa: ARG001 -- called by Django
    """Take it away."""
    for statement in BACK[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [("core", "0005_consistency")]
    operations = [migrations.RunPython(refuse_changes, allow_changes)]
