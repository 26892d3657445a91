"""`wigwag-server check`: whether a server would run well here, before it has to."""
