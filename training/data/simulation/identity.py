"""The readable ids of the simulated world."""

from training.data.simulation.world import World


def user_id(row: int) -> str:
    """The id of a viewer, as `user-00012`."""
    return f"user-{row:05d}"


def streamer_id(row: int) -> str:
    """The id of a streamer, as `streamer-0042`."""
    return f"streamer-{row:04d}"


def room_ids(world: World) -> list[str]:
    """The ids of all rooms, as `room-0042-0003`: the third room of that streamer."""
    rooms = world.rooms
    return [f"room-{who:04d}-{n:04d}" for who, n in zip(rooms.streamer.tolist(), rooms.number.tolist(), strict=True)]


class Numbering:
    """Counts events, so that each id is unique and tells the order of making."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self) -> str:
        """The next event id."""
        self._count += 1
        return f"event-{self._count:09d}"
