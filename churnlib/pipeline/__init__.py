"""The runner: phases in order, each one a notebook, a run and a published result."""
