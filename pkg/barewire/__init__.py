"""Python talking to MongoDB and PostgreSQL at wire speed."""

__version__ = "0.1.0"
