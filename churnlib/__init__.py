"""A churn model you can answer for: the helper library behind the notebooks."""
