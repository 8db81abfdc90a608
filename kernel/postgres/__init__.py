"""Django's PostgreSQL backend, but that it looks at its line before it asks whether anybody is there."""
