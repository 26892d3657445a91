"""Which client instances there are, and what each of them has in force."""
