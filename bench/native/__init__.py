"""C programs of the benchmarks, compiled where they run: no Python is quick enough to be the load, or the floor."""
