"""Pages where money is met: an order with its payments, opening a service, the wallet."""
