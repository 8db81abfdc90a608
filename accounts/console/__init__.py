"""What colleagues do about accounts: whose they are, what guards them, and what they are told."""
