"""The feature service: turns requests into feature tensors, merges recall and ranking calls, answers app services."""
