"""The operations page: samples of the server's figures, and warnings in words.

::

    SampleReader ── every 5 s ──▶ Sampler ── keeps ten minutes ──▶ GET /console/api/operations
                                     └────── OperationsFeed ─────▶ event operations_sample

- :mod:`~app.console.operations.reader` reads one :class:`~app.console.operations.sample.Sample`.
- :mod:`~app.console.operations.sampler` does so every five seconds while the process serves, and
  keeps the samples of the last ten minutes. It runs whether or not anybody may open the console:
  a sample costs less than a millisecond, and who opens the page sees what came before.
- :mod:`~app.console.operations.feed` sends each sample to the streams of the consoles that have
  asked for it. A sample does not go through the log, so it is never replayed.
- :mod:`~app.console.operations.advising` finds out what a person should look at, and says it in
  words. Its rules are pure functions of the samples.
- :mod:`~app.console.operations.api` is what the page's script calls.

- :mod:`~app.console.operations.workers` makes one sample of those of several workers.

Without several workers, each process has samples of its own: after a reload they begin anew.
"""
