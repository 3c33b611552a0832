"""The log of several processes: files in one private directory, mapped into all of them.

``SegmentLog`` is in :mod:`~gateway_shim.event_log.segments.segment_log`. The directory holds::

    head                         the epoch, and the newest and the oldest position
    lock                         held by the process that appends
    <epoch>-<position>.segment   entries from this position on
    processes/, wake/            a mark and a pipe of each process

**An append** takes the lock, writes the frame and its record behind the committed ones, and then
stores the newest position in ``head``: one store of eight bytes, which is the only thing that makes
the entry visible. So a process that is killed at any instruction leaves either nothing or a whole
entry. What it left behind the committed entries is overwritten by the next append.

**A reader** takes no lock. It looks at ``head``, and checks each new record once: each has a
checksum over its position, its audience and its frame.

**What is damaged is never repaired.** If anything in the directory is not what it must be, the log
begins a new epoch, in new files. So browsers are told that events were lost, and never get a wrong
one. Committed bytes are never overwritten; segments are only unlinked, and a process that still
sends from one keeps its memory.
"""
