"""What colleagues see of everything at once: figures, whatever they look for, and an order as a whole."""
