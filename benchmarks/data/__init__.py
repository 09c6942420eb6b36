"""Small generators of input. No data file lives here, and nothing large may."""
