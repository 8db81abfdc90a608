"""Work in progress: what waits, since when, and whether it is late. For /metrics, /ops/work/ and `manage.py work`."""
