"""Pages that people look at: rendered here, with nothing fetched from elsewhere."""
