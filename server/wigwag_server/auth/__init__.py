"""Who may do what: keys, principals, and the guard in front of the routes."""
