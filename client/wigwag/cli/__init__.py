"""`wigwag`, the operator's command line. It speaks the admin HTTP API, and the stream for `tail`."""
