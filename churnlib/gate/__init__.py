"""The gate: the checks that stand between challenger and champion, pure and seeded."""
