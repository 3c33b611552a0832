"""The table of streams of all processes of a server: one page, made of parts of each."""
