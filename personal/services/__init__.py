"""Verbs of what is a person's own: a copy of it all, a proof to show, and the way out."""
