"""Whether a model can be made again from its record: what is compared, and what that comes to."""
