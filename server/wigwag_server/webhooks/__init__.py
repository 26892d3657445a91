"""Webhooks: what happens to flags, told to other systems."""
