"""The embedded model server: TensorFlow Serving's flags, gRPC and REST API, in Python (`python -m serving.local`).

It is a process, not a library: nothing else can tell it from `tensorflow_model_server`. Only `loader` and `warmup`
import TensorFlow.
"""
