"""Commands of the merchant console: team, invitations, emails to staff, audited order actions, payout approval."""
