"""What apps talk to: streams, snapshots, health."""
