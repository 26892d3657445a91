"""wigwag inside other people's frameworks. Each module imports its framework, and no other."""
