"""The command ``sse-monolith bench``: compare the streams with the limit of the machine's kernel.

* ``command``, ``run``, ``plan``, ``context``: one run, from the options to the table.
* ``sections/``: the measurements, one module for each section.
* ``measured/``: the servers that are measured.
* ``clients/``: the processes that read and send.
* ``results/``: the figures, the goals, the table and the plot.
"""
