"""Barewire's measurements: cases, peers, native floors and saved runs. Nothing here is part of the library."""
