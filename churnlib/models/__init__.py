"""Models: features, families, metrics and the decision threshold. Pure and seeded."""
