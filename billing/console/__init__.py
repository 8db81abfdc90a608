"""What colleagues do about collecting: retry policies, channels that are out, verbs on an order."""
