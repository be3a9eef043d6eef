"""Attacking some of a row's images again, and comparing."""
