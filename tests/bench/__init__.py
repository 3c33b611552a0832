"""Whether broadcasts stay at the kernel's cost: counts, and a short run of the bench."""
