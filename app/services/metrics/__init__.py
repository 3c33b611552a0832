"""The counts of the metrics, for readers inside of the process."""
