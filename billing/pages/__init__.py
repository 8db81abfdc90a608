"""Customers' pages about orders, payments, services, payment methods, help and credit."""
