"""The program itself: its version, build and licenses, its command line, and its binary."""
