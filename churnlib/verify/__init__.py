"""Executed notebooks held against a second execution: every output, but for what is declared to vary."""
