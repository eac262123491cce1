"""Scripts that are timed as they stand: what somebody writes who uses nothing of this project."""
