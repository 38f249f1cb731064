"""The command line `ci-notebook`: one module per verb, named like the verb.

Modules in reading order:

- `verbs`: the parser of all verbs, and the exit statuses.
- `lab`: copy the tutorials and open JupyterLab.
- `app`, `app_page`, `page_server`: serve the panels as a web page, the page itself, and its server.
- `serve`: run the embedded engine on a port.
- `report`: run a sweep on clips and write one HTML file.
- `score`: score video files against their source.
- `jobs`: list, show, wait for and cancel jobs.
- `doctor`: check the installation, the machine and the service.
- `check_notebook`, `secret_search`: find secrets in notebooks, and the patterns and disguises of secrets.
- `sanitize_rules`: print the path of the rules for nbval.
- `subprocess_server`: run a server in a child process until it ends.
"""

from ci_notebook.cli.verbs import main

__all__ = ["main"]
