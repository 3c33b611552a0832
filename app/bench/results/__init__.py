"""The results of the bench: figures, table, plot."""
