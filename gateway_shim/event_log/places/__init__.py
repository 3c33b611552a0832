"""Places of the log: which directory a server keeps its log in, and who makes the directory."""
