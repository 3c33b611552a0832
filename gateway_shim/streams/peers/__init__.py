"""The other processes of the server: what they are told, and what they are asked."""
