"""What the colleagues ask: how things went, by day; and what stands behind a figure."""
