"""Makes the toys of this folder importable in the folders below it too: pytest puts a conftest's folder on the path."""
