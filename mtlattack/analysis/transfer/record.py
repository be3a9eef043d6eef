"""The record of a transfer: every number, computed from the evidence; its schema is the documentation."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mtlattack.analysis.record import Interval

FORMAT = "mtlattack-transfer"
FORMAT_VERSION = 1
LEVEL = 0.05


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cell(_Part):
    """What the images of a source took from a victim."""

    own: bool = Field(description="whether the images were made on this very model, or for this very task")
    lost: Interval = Field(description="skill without attack minus skill left, max(0, ·) each; mean over tasks")
    share: Interval = Field(description="of what the victim's own white-box attack takes; null if that takes nothing")
    log_ratio: Interval = Field(description="mean log loss ratio over images and tasks")
    above_noise: Interval = Field(description="skill lost minus what noise of the same norm takes")
    log_above_noise: Interval = Field(description="log loss ratio minus that of the noise")
    p: float = Field(description="of no difference to the noise: Wilcoxon's signed ranks of the log loss over images")
    p_holm: float = Field(description="the same, corrected by Holm for all cells of the matrix but its own")

    @property
    def beats_noise(self) -> bool:
        """Whether it is above the floor by more than chance: by the test, and by the interval of the mean, which one
        image of an unlike kind can move and the test's ranks cannot."""
        return self.p_holm < LEVEL and (self.log_above_noise.low or 0) > 0


class Difference(_Part):
    """Two sources on the same victim, paired over images."""

    victim: str
    source: str
    other: str
    lost: Interval = Field(description="skill that the source takes minus what the other takes")
    log_ratio: Interval = Field(description="log loss ratio of the source minus that of the other")
    p: float = Field(description="of no difference: Wilcoxon's signed ranks of the log loss over images")
    p_holm: float = Field(description="corrected by Holm for all pairs of sources on all victims of the matrix")

    def is_for(self, source: str) -> bool:
        """Whether this one of the two is shown to hurt more, as `Cell.beats_noise` shows it."""
        low, high = self.log_ratio.low or 0, self.log_ratio.high or 0
        return self.p_holm < LEVEL and (low > 0 if self.source == source else high < 0)


class Alike(_Part):
    """Input gradients of source and victim at the clean images: means over images, and tasks where they are models."""

    cosine: Interval
    signs: Interval = Field(description="share of values, non-zero in both, with equal signs: chance is 0.5")


class Matrix(_Part):
    """Sources (rows) × victims (columns)."""

    title: str
    kind: Literal["tasks", "models"]
    sources: list[str]
    victims: list[str]
    clean: list[Interval] = Field(description="skill of each victim without attack")
    white_box: list[Interval] = Field(description="skill that each victim's own white-box attack takes")
    white_box_log: list[Interval] = Field(description="and its log loss ratio")
    noise: list[Interval] = Field(description="skill that noise of the same norm takes")
    noise_log: list[Interval] = Field(description="and its log loss ratio")
    cells: list[list[Cell]]
    alike: list[list[Alike]]
    depth: list[list[float]] | None = Field(description="share of the stages that two tasks have in common")
    degree: float | None = Field(description="sharing degree of the layout; null for a matrix of models")
    mean_share: Interval = Field(description="mean of `share` over the cells that are not own")
    differences: list[Difference]


class Correlation(_Part):
    """Spearman's rank correlation over the cells that are not own, of all matrices together, ranked within each."""

    common: Literal["cosine", "signs", "depth"] = Field(description="what source and victim have in common")
    of: Literal["share", "log_ratio"] = Field(description="and the measure of transfer")
    cells: int
    matrices: list[str] = Field(description="those in which both vary")
    rho: Interval = Field(description="with its bootstrap interval over images")
    p: float | None = Field(description="two-sided, by permuting the labels of rows and columns within each matrix")
    permutations: int
    exact: bool = Field(description="whether these are all permutations, or a sample")


class TransferRecord(_Part):
    """A transfer, with everything that was found."""

    format: Literal["mtlattack-transfer"] = "mtlattack-transfer"
    format_version: Literal[1] = 1
    between: Literal["tasks", "models"]
    attacks: list[dict[str, Any]] = Field(description="everything that makes the attacks, defaults spelled out")
    passes: list[list[int | None]] = Field(
        description="forward and backward passes an image of each attack; between models, on the first source"
    )
    source_passes: dict[str, list[int | None]] = Field(
        default_factory=dict,
        description="between models, the same by source; of one that is several networks (`networks` in `models`) the "
        "passes of all of them",
    )
    noise: dict[str, Any] = Field(description="the same of the floor")
    models: dict[str, dict[str, Any]]
    data: dict[str, Any]
    tasks: list[str] = Field(description="those that count")
    left_out: list[str] = Field(description="what does not count, in sentences")
    seed: int
    batch_size: int
    bootstrap: dict[str, int]
    environment: dict[str, Any]
    matrices: list[Matrix]
    correlations: list[Correlation]
