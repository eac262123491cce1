"""Results in, matplotlib figures out: every function returns one Figure and touches nothing else."""
