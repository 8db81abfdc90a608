"""Verbs of a merchant's console: its team, and what staff do to an order."""
