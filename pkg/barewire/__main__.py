# `python -m barewire`: hands over to the command line; nothing else.
"""Entry point of ``python -m barewire`` and of the ``barewire`` script."""

import sys

from barewire.cli import main

if __name__ == "__main__":
    sys.exit(main())
