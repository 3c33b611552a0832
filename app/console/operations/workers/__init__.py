"""The samples of a server with several workers: each writes its own, and reads those of all.

::

    Sampler of worker 1 ──▶ file 1 ──┐
    Sampler of worker 2 ──▶ file 2 ──┴─▶ merging ──▶ the same ten minutes in each worker

Samples are neither in the log nor sent from worker to worker: a worker that is stuck or was killed
leaves what it has written, and a server whose console nobody looks at does nothing but write a line
every five seconds. Workers take their samples at the same moments, so that one line of each makes
one sample of the server.
"""
