from django.db import migrations, models

KNOWN = """
CREATE FUNCTION billing_a_service_names_a_known_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM billing_retrypolicy WHERE name = NEW.retry_policy) THEN
        RAISE EXCEPTION 'there is no retry policy %', NEW.retry_policy
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME,
                  CONSTRAINT = 'a_service_names_a_known_policy';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_service_names_a_known_policy BEFORE INSERT OR UPDATE OF retry_policy ON merchants_service
    FOR EACH ROW EXECUTE FUNCTION billing_a_service_names_a_known_policy();
"""
FORGET = """
DROP TRIGGER a_service_names_a_known_policy ON merchants_service;
DROP FUNCTION billing_a_service_names_a_known_policy();
"""


class Migration(migrations.Migration):
    """Why a version was published; and a service names only policies that there are.

    Policies are never deleted, so what holds when a service is written holds for ever. It is a trigger and not a foreign
    key, because merchants stand below billing and know nothing of it.
    """

    dependencies = [("billing", "0005_planned_lines"), ("merchants", "0001_initial")]
    operations = [
        migrations.AddField("retrypolicy", "reason", models.CharField(blank=True, default="", max_length=200), preserve_default=False),
        migrations.RunSQL(KNOWN, FORGET),
    ]
