"""The compact file of a row's evidence."""
