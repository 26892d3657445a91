"""From one replica to every open stream."""
