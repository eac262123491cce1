"""Kernels that need not import: each is forked, fresh, from a process that has imported once for all of them.

`nursery` is that process, `client` starts it and asks it, `provisioner` is how Jupyter comes to it.
"""
