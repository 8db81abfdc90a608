"""Console pages and row actions of billing: orders, disputes, cases, returns, outages and policies."""
