"""The shared schema: events, records, reducers and the feature catalogue. Numpy and the standard library only."""
