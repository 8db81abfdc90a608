"""Pages where money is met: an order with its payments, all debts at once, opening a service, the wallet."""
