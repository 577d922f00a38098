"""Consents only grow: two times may be filled once each, everything else needs `erasing()`."""

from django.db import migrations

CREATE = """
CREATE FUNCTION newsletter_consent_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('app.erasing', true) = 'on' THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE'
        AND to_jsonb(NEW) - ARRAY['confirmed_at', 'withdrawn_at']
            = to_jsonb(OLD) - ARRAY['confirmed_at', 'withdrawn_at']
        AND (OLD.confirmed_at IS NULL OR NEW.confirmed_at IS NOT DISTINCT FROM OLD.confirmed_at)
        AND (OLD.withdrawn_at IS NULL OR NEW.withdrawn_at IS NOT DISTINCT FROM OLD.withdrawn_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Consents only grow: % refused.', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'newsletter_consent_only_grows';
END
$$;
CREATE TRIGGER newsletter_consent_only_grows
    BEFORE UPDATE OR DELETE ON newsletter_consent
    FOR EACH ROW EXECUTE FUNCTION newsletter_consent_only_grows();
"""

DROP = """
DROP TRIGGER newsletter_consent_only_grows ON newsletter_consent;
DROP FUNCTION newsletter_consent_only_grows();
"""


class Migration(migrations.Migration):
    dependencies = [("newsletter", "0001_subscribers")]

    operations = [migrations.RunSQL(CREATE, DROP)]
