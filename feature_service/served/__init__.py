"""The served log: what was shown, with the very tensors that the ranker was called with."""
