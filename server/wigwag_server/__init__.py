"""`wigwag-server`: keeps flags in a store and pushes every change to the apps that follow it."""
