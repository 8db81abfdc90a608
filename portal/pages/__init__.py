"""What a merchant's staff see, and the forms they send."""
