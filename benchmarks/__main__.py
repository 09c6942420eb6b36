"""Entry of ``python -m benchmarks``. Only the call into the command line lives here."""

import sys

from benchmarks.harness.cli import main

if __name__ == "__main__":
    sys.exit(main())
