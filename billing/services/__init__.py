"""Verbs of billing, by what they are about."""
