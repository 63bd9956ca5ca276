"""A run that is over in a moment: a linear model of four features."""

TINY = """
model = "lr"
[features]
user = ["user.id", "user.enter.total"]
candidate = ["streamer.id", "room.viewers"]
[heads]
enter = 1.0
[training]
batch_slates = 16
epochs = 1
"""
