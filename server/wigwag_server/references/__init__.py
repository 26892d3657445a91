"""Where code asks for flags, as scans have told it."""
