"""What the project promises to be fast, timed. ``python -m bench`` runs all and writes bench/results/."""
