"""Training: from the event log to published SavedModels. Selects Keras 2, which TensorFlow Recommenders needs."""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
# Of a worker that is lost TensorFlow has a screenful to say; `training.distribution` says it in a line.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if "TF_CONFIG" in os.environ else "2")
