"""Relays: what an upstream shows them, and what a server is that follows another one instead of a store."""
