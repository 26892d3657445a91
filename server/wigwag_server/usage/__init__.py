"""How often flags are asked for, and what came of it."""
