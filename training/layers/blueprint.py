"""The blueprint: all that a model's wiring needs to know of its data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from feature_service.features.layout import HISTORY_FLOATS, HISTORY_IDS, USER_FLOATS, USER_IDS, Layout
from training.layers.fitted import Encodings, Fitted

USER_TENSORS = (USER_FLOATS, USER_IDS)
HISTORY_TENSORS = (HISTORY_FLOATS, HISTORY_IDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSizes:
    """How raw values are taken in; the table `[inputs]` of a run's configuration.

    Attributes:
        embedding: Numbers an embedding.
        vector: Numbers that a vector of another model (a content vector) is projected to.
        history: Hidden units of the attention over the history.
        unseen_rows: Rows a vocabulary for keys that were not seen in training.
        min_count: A key that occurs less often in the training samples counts as unseen.
        unseen_rates: Share of a feature's keys, by feature name, that counts as unseen in training.
        embedding_l2: What a ranker's training loss adds for each unit of Σ‖v‖², over the vectors v of the known keys
            that the batch holds, each key once; 0 = nothing.
    """

    embedding: int = 16
    vector: int = 16
    history: int = 32
    unseen_rows: int = 8
    min_count: int = 2
    unseen_rates: Mapping[str, float] = field(default_factory=dict)
    embedding_l2: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What the data tell a model.

    Attributes:
        layout: The columns that the model reads, and its heads.
        encodings: How each column is taken in, by feature name.
        fitted: Statistics of the training samples.
        sizes: Sizes of the input layers.
        head_weights: Weight of each head's loss, by head.
        balance: How the heads' losses are weighed against each other, see `training.layers.balance`.
    """

    layout: Layout
    encodings: Encodings
    fitted: Fitted
    sizes: InputSizes
    head_weights: Mapping[str, float]
    balance: str = "fixed"

    @property
    def user_layout(self) -> Layout:
        """The user's tensors without the sequences."""
        return self.layout.select(USER_TENSORS)

    @property
    def history_layout(self) -> Layout:
        """The user's sequences."""
        return self.layout.select(HISTORY_TENSORS)

    @property
    def candidate_layout(self) -> Layout:
        """The candidates' tensors."""
        user_side = USER_TENSORS + HISTORY_TENSORS
        return self.layout.select(tensor.name for tensor in self.layout.tensors if tensor.name not in user_side)
