"""Backups: all logs of a store in one file, whatever the store."""
