"""Work under way: what waits, since when, and whether that is how it should be. Fed to /metrics, /ops/work/, `work`."""
