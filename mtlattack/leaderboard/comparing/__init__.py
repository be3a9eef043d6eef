"""What differs between two rows."""
