"""Profile events of the simulated world: who viewers and streamers are."""

from collections.abc import Iterator

from feature_service.features.events import Event, EventKind
from training.data.simulation.identity import Numbering, streamer_id, user_id
from training.data.simulation.people import AGE_BANDS, CATEGORIES, COUNTRIES, GENDERS, LANGUAGES
from training.data.simulation.world import World

_FANS_AT_TOP = 1_000_000


def viewer_profiles(world: World, number: Numbering) -> Iterator[Event]:
    """A `user_updated` for each viewer, at the log's start."""
    viewers = world.viewers
    for row in range(world.settings.users):
        country = int(viewers.country[row])
        yield Event(
            number(),
            EventKind.USER_UPDATED,
            world.settings.start_ms,
            user_id=user_id(row),
            region=COUNTRIES[country],
            language=LANGUAGES[country // 2],
            attributes={
                "age_band": AGE_BANDS[viewers.age[row]],
                "gender": GENDERS[viewers.gender[row]],
                "country": COUNTRIES[country],
                "language": LANGUAGES[country // 2],
            },
        )


def streamer_profile(world: World, row: int, time_ms: int, number: Numbering) -> Event:
    """A `streamer_updated`; a newcomer has no fans yet.

    Args:
        world: The truth.
        row: The streamer.
        time_ms: Unix milliseconds.
        number: Gives the event its id.
    """
    streamers = world.streamers
    fans = 0 if streamers.from_ms[row] else round(_FANS_AT_TOP * float(streamers.audience[row]))
    return Event(
        number(),
        EventKind.STREAMER_UPDATED,
        time_ms,
        streamer_id=streamer_id(row),
        category=CATEGORIES[streamers.category[row]],
        language=LANGUAGES[streamers.language[row]],
        attributes={"fans": float(fans)},
    )
