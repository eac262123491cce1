"""The doctor: looks at a set-up and says in words what to do; each look by itself, none stops the others."""
