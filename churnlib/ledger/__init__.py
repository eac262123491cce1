"""The ledger, pure: its events, what they add up to, and what is wrong with them."""
