"""What every part of the backend leans on: an orderly end, and logs."""
