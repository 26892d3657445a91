"""Where the logs are kept. `store.py` is the interface; one contract suite runs over every implementation."""
