"""Contexts that flags were lately decided for, and what a change would decide for them."""
