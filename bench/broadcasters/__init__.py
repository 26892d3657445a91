"""Servers that write one event to every stream: the floors, the peers, and wigwag-server with a stopwatch in it.

Each is a process of its own. But for wigwag and nginx they take events as lines of hex on standard input and print,
for each, when they read it; `orders` is that for those in Python.
"""
