"""What people see of what is their own."""
