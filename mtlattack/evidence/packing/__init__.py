"""The compact file of a row's evidence."""

MOST_BYTES = 4 * 2**20
"""Of such a file: what is larger is not read."""
