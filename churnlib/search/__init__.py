"""Search: which configurations compete, and how the contest is run. Pure and seeded."""
