"""The console: pages on which people look at the server, start tasks, and send events.

- :mod:`app.console.pages` serves the pages, :mod:`app.console.files` their styles and scripts, and
  one module for each page serves the JSON that its script asks for, below ``/console/api``.
- :mod:`app.console.access` decides who may use them. No request reaches a view before that.
- ``templates`` has the pages, ``static`` their styles and scripts. The scripts are ES modules
  without a build step. They use the browser client as any page would.
"""
