# The package's name and version; imports nothing, so that every part can be used without the others.
"""Python talking to MongoDB and PostgreSQL at wire speed."""

__version__ = "0.1.0"
