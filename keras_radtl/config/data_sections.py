"""The sections of a configuration about images: `data`, `split` and `augment`."""

from __future__ import annotations

from dataclasses import dataclass, field

from keras_radtl.config.errors import require
from keras_radtl.config.fields import SEED, check_fields, count_in, number, one_of, require_pattern


@dataclass(frozen=True)
class PhantomConfig:
    """Simulated breast-ultrasound images, which are used if `data.path` is `phantoms`."""

    count: int = number(400, "[20, 1000000]")  #: number of images
    image_size: int = number(160, "[32, 1024] pixels")  #: height and width in pixels
    difficulty: float = number(0.5, "[0, 1]")  #: from 0 (classes clearly different) to 1 (almost indistinguishable)
    seed: int = number(0, SEED)  #: determines all images

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class DataConfig:
    """Images, labels and groups, and how images are converted to uint8 pixels."""

    path: str = "phantoms"  #: folder of class folders, CSV, MedMNIST .npz, RadImageNet task folder, or `phantoms`
    label: str | None = None  #: label column of a CSV; None: determined by its name
    labels: tuple[str, ...] = ()  #: several 0/1 columns of a CSV, for a multi-label task
    positive: str | None = None  #: class that is compared with all others
    groups: str = "auto"  #: auto | none | name of a CSV column | re:<regular expression on the path, first group>
    given_split: bool = True  #: use the split or folds that the data define
    on_label_conflict: str = "drop"  #: identical images with different labels: drop | keep | error
    on_bad_image: str = "error"  #: error | skip (and list in rejected.csv)
    #: height and width in pixels; None: the input size of the backbone
    image_size: int | None = number(None, "[8, 4096] pixels")
    resize: str = "stretch"  #: stretch | crop (resize the shorter side to `resize_side`, crop the center) | pad
    #: for crop: length of the shorter side in pixels; None: image_size * 256 / 224
    resize_side: int | None = number(None, "[8, 16384] pixels")
    channels: str = "auto"  #: auto (grey if all images are grey) | grey | rgb
    #: range of 16-bit images: image (minimum to maximum of each image) | full (0-65535) | LOW:HIGH
    window: str = "image"
    #: clip limit of contrast-limited adaptive histogram equalization with 8 x 8 tiles; 0: none
    clahe: float = number(0.0, "[0, 100]")
    max_megapixels: float = number(64.0, "(0, 1000]")  #: larger images are rejected before they are decoded
    phantoms: PhantomConfig = field(default_factory=PhantomConfig)

    def __post_init__(self):
        check_fields(self)
        one_of(self, "on_label_conflict", ("drop", "keep", "error"))
        one_of(self, "on_bad_image", ("error", "skip"))
        one_of(self, "resize", ("stretch", "crop", "pad"))
        one_of(self, "channels", ("auto", "grey", "rgb"))
        if self.window not in ("image", "full"):
            low, high = (count_in(text) for text in self.window.partition(":")[::2])
            valid = low is not None and high is not None and low < high
            require(valid, "window", "image, full or LOW:HIGH with LOW < HIGH", self.window)
        require(len(set(self.labels)) == len(self.labels), "labels", "different columns", self.labels)
        require_pattern(self.groups)


@dataclass(frozen=True)
class SplitConfig:
    """Ratios of the split, or number of folds. Groups are not split (ratios: BACON, section 4.3)."""

    train: float = number(0.75, "(0, 1)")
    val: float = number(0.15, "(0, 1)")
    test: float = number(0.10, "(0, 1)")
    #: number of cross-validation folds; each case is a test case once; None: a single split
    folds: int | None = number(None, "[2, 100]")
    seed: int | None = number(None, SEED)  #: seed of the split; None: the seed of the run

    def __post_init__(self):
        check_fields(self)
        total = self.train + self.val + self.test
        require(abs(total - 1) < 1e-6, "train + val + test", "1", round(total, 6))


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the random augmentation of training images; 0 or false disables one (BACON, sections 4.2 and E)."""

    rotation: float = number(10.0, "[0, 180] degrees")  #: angle in degrees, uniform in [-rotation, rotation]
    shift: float = number(0.1, "[0, 1]")  #: fraction of width and height
    shear: float = number(0.1, "[0, 1]")  #: horizontal shift per unit of height
    zoom: float = number(0.1, "[0, 1)")  #: scale in [1 - zoom, 1 + zoom], the same for both axes
    horizontal_flip: bool = True  #: flip left and right with probability 1/2
    vertical_flip: bool = False  #: flip top and bottom with probability 1/2
    brightness: float = number(0.0, "[0, 1]")  #: largest added value, as a fraction of 255
    contrast: float = number(0.0, "[0, 1]")  #: factor in [1 - contrast, 1 + contrast] around the mean
    blur: float = number(0.0, "[0, 50] pixels")  #: largest standard deviation of a Gaussian blur, in pixels

    @property
    def active(self) -> bool:
        """Whether training images are changed at all."""
        return self != NO_CHANGES

    def __post_init__(self):
        check_fields(self)


NO_CHANGES = AugmentConfig(0.0, 0.0, 0.0, 0.0, False)
