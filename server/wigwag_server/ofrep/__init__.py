"""The OpenFeature Remote Evaluation Protocol (OFREP): decisions made here, for browsers and other languages."""
