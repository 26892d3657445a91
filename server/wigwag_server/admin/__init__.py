"""What operators talk to: flags, kills, keys."""
