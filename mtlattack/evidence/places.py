"""What the files in a run's folder are called."""

EVIDENCE, RECORD = "evidence.h5", "record.json"
