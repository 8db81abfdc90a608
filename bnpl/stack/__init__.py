"""The whole platform on one machine: `make up`."""
