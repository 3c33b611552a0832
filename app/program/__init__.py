"""What the one-file binary is made of, and how it keeps running without those files."""
