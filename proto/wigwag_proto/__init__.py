"""What wigwag's clients, servers and relays agree on: the model, evaluation, the replica and the wire format.

Import from the submodules: `wigwag_proto.flag`, `wigwag_proto.replica`, …
Everything here is pure (no clock, no I/O, no logger) apart from the modules whose names end in `_io`.
"""
