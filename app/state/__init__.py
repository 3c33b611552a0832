"""The memory of a server: one small database for all of its processes, which outlives them.

=================================  ===================================================
:mod:`app.state.place`             the directory of a server
:mod:`app.state.server_memory`     the memory: what is kept, and what happens on failures
:mod:`app.state.saves`             saves that never wait
:mod:`app.state.database`          one file: its tables, its transactions, its errors
:mod:`app.state.checkpoints`       the part that waits for the disk, in another thread
:mod:`app.state.files`             which file is used, and what happens to a damaged one
=================================  ===================================================
"""

from __future__ import annotations

__all__: list[str] = []
