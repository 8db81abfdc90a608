"""Console pages and actions about accounts: colleagues, second factors, and notice templates."""
