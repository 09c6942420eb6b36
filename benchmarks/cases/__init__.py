"""One file per question; each exposes ``CASES``, a list of ``harness.case.Case`` objects."""
