"""How much the site bears, and what gives first: `make loadtest`, `python -m tests.load scale`."""
