"""`python -m ci_notebook`: the command `ci-notebook`."""

import sys

from ci_notebook.cli import main

if __name__ == "__main__":
    sys.exit(main())
