"""Viewers and streamers of the simulated world: who they are and what they like."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.simulation.settings import SimulationSettings

FACTORS = 8
CATEGORIES = ("music", "dance", "chat", "game", "outdoors", "food", "beauty", "sports")
LANGUAGES = ("en", "es", "zh")
COUNTRIES = ("us", "gb", "mx", "es", "cn", "sg")
AGE_BANDS = ("18-24", "25-34", "35-44", "45+")
GENDERS = ("f", "m")
DEVICES = ("phone", "phone-lite", "tablet", "web")
NETWORKS = ("wifi", "5g", "4g")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Viewers:
    """Columns over viewers, U rows.

    Attributes:
        taste: float64 [U, FACTORS], unit length; where tastes start.
        drift: float64 [U, FACTORS], unit length and orthogonal to `taste`; where they turn to.
        activity: float64 [U], mean 1; share of the requests.
        age: int64 [U], index into AGE_BANDS.
        gender: int64 [U], index into GENDERS.
        country: int64 [U], index into COUNTRIES; two countries to a language.
        device: int64 [U], index into DEVICES.
        estimate: float64 [U, FACTORS], what the behaviour policy believes of the taste; it does not drift.
    """

    taste: Floats
    drift: Floats
    activity: Floats
    age: Ints
    gender: Ints
    country: Ints
    device: Ints
    estimate: Floats

    @property
    def language(self) -> Ints:
        """int64 [U], index into LANGUAGES."""
        return self.country // 2


@dataclass(frozen=True, slots=True)
class Streamers:
    """Columns over streamers, S rows.

    Attributes:
        factors: float64 [S, FACTORS], unit length.
        charisma: float64 [S], standardised log of a Zipf law.
        audience: float64 [S], (0, 1], charisma as a share of the first streamer's.
        category: int64 [S], index into CATEGORIES.
        language: int64 [S], index into LANGUAGES.
        hour: float64 [S], favourite hour to start, UTC.
        from_ms: int64 [S], since the start of the log; 0 unless a newcomer.
    """

    factors: Floats
    charisma: Floats
    audience: Floats
    category: Ints
    language: Ints
    hour: Floats
    from_ms: Ints


def draw_viewers(settings: SimulationSettings, groups: Floats, rng: np.random.Generator) -> Viewers:
    """Draws viewers whose tastes gather by age and gender.

    Args:
        settings: Sizes and calibration.
        groups: float64 [AGE_BANDS × GENDERS, FACTORS], mean taste of each group.
        rng: The source of chance.
    """
    count, calibration = settings.users, settings.calibration
    age = rng.choice(len(AGE_BANDS), count, p=(0.35, 0.35, 0.2, 0.1))
    gender = rng.integers(len(GENDERS), size=count)
    own = rng.normal(size=(count, FACTORS)) / np.sqrt(FACTORS)
    taste = unit(0.6 * groups[age * len(GENDERS) + gender] + own)
    away = rng.normal(size=(count, FACTORS))
    drift = unit(away - np.sum(away * taste, axis=1, keepdims=True) * taste)
    activity = rng.lognormal(sigma=calibration.activity_sigma, size=count)
    noise = rng.normal(scale=calibration.policy_noise / np.sqrt(FACTORS), size=(count, FACTORS))
    return Viewers(
        taste=taste,
        drift=drift,
        activity=activity / activity.mean(),
        age=age,
        gender=gender,
        country=rng.choice(len(COUNTRIES), count, p=(0.3, 0.2, 0.15, 0.1, 0.15, 0.1)),
        device=rng.choice(len(DEVICES), count, p=(0.55, 0.25, 0.1, 0.1)),
        estimate=unit(taste + noise),
    )


def draw_streamers(settings: SimulationSettings, centres: Floats, rng: np.random.Generator) -> Streamers:
    """Draws streamers whose factors gather by category.

    Args:
        settings: Sizes and calibration.
        centres: float64 [CATEGORIES, FACTORS], mean factors of each category.
        rng: The source of chance.
    """
    count, calibration = settings.streamers, settings.calibration
    category = rng.integers(len(CATEGORIES), size=count)
    own = rng.normal(size=(count, FACTORS)) / np.sqrt(FACTORS)
    ranks = rng.permutation(count) + 1
    audience = np.power(ranks, -calibration.charisma_exponent, dtype=np.float64)
    new = (rng.random(count) < calibration.newcomer_share) & settings.effects.newcomers
    joined = rng.uniform(0.2, 0.95, count) * (settings.end_ms - settings.start_ms)
    return Streamers(
        factors=unit(centres[category] + 0.8 * own),
        charisma=standardise(np.log(audience)),
        audience=audience,
        category=category,
        language=rng.choice(len(LANGUAGES), count, p=(0.5, 0.25, 0.25)),
        hour=rng.normal(calibration.hour_peak - 1.5, 4.0, count) % 24,
        from_ms=np.where(new, joined, 0).astype(np.int64),
    )


def unit(rows: Floats) -> Floats:
    """Scales the rows [N, D] to length one."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def standardise(values: Floats) -> Floats:
    """Moves and scales values [N] to mean 0 and deviation 1; equal values become 0."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
