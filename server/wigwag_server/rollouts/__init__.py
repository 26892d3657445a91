"""Ramps, guards and schedules: what a server does to flags by itself, at a time or for a reason."""
