"""A model made again as it was made the first time: recorded code, environment and notebooks."""
