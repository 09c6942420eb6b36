# The package's name and version, and what must be set before libmongoc is loaded; every part can be used without the others.
"""Python talking to MongoDB and PostgreSQL at wire speed."""

import os as _os

__version__ = "0.1.0"

# As soon as libmongoc is loaded it makes a file for its counters in /dev/shm, which stays behind when the process is killed;
# a later process of the same number finds it in its way and writes a warning to standard error. Nothing here reads them.
_os.environ.setdefault("MONGOC_DISABLE_SHM", "1")
