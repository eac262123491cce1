"""A team's own servers on one machine: PostgreSQL, an S3-compatible store and MLflow with sign-in."""
