"""Pages and forms of the merchant console."""
