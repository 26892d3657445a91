"""Configuration of other systems, as far as it can be carried over, and what could not."""
