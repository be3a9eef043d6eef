"""From a finished run to the files of a pull request."""
