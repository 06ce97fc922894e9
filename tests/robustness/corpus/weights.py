"""Weight files that cannot be used."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Iterator
from functools import partial

from corpus.case import FIT, Case, Place, replaced
from corpus.damage import KINDS


def zipped(**members: bytes) -> bytes:
    """Return a ZIP file with these members; `__` in a name stands for a slash."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return file.getvalue()


def bomb() -> bytes:
    """Return a ZIP file of 100 KB with a member of 100 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("archive/data.pkl", bytes(100_000_000))
    return file.getvalue()


class Harm:
    """What a pickle runs when it is loaded."""

    def __reduce__(self):
        import os

        return os.system, ("touch harm",)


def hdf5(fill: Callable) -> bytes:
    """Return an HDF5 file that a function fills."""
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        fill(made)
    return file.getvalue()


ANY: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"no weights",
    "binary": lambda: bytes(range(256)) * 16,
    "zeros": lambda: bytes(4096),
    "another ZIP": lambda: zipped(x=b"y"),
    "an LFS pointer": lambda: b"version https://git-lfs.github.com/spec/v1\n",
}
HDF5: dict[str, Callable[[], bytes]] = {
    "no weights": lambda: hdf5(lambda file: None),
    "wrong weights": lambda: hdf5(lambda file: file.create_dataset("x", data=[1.0, 2.0])),
    "signature only": lambda: b"\x89HDF\r\n\x1a\n" + bytes(50),
    "truncated": lambda: hdf5(lambda file: file.create_dataset("x", data=[1.0] * 1000))[:1500],
    "layer names that are missing": lambda: hdf5(lambda file: file.attrs.update({"layer_names": [b"a", b"b"]})),
    "layer names that are numbers": lambda: hdf5(lambda file: file.attrs.update({"layer_names": 3})),
}
KERAS: dict[str, Callable[[], bytes]] = {
    "no weights": lambda: zipped(config_dot_json=b"{}", metadata_dot_json=b"{}"),
    "a config that is none": lambda: zipped(
        config_dot_json=b"x", metadata_dot_json=b"{}", model_dot_weights_dot_h5=b"x"
    ),
    "weights that are none": lambda: zipped(
        config_dot_json=b"{}", metadata_dot_json=b"{}", model_dot_weights_dot_h5=b"x"
    ),
}
TORCH: dict[str, Callable[[], bytes]] = {
    "a pickle that runs code": lambda: pickle.dumps(Harm()),
    "a ZIP with a pickle that runs code": lambda: zipped(archive__data_dot_pkl=pickle.dumps(Harm())),
    "a pickle of a list": lambda: pickle.dumps([1, 2]),
    "a ZIP with a pickle of a list": lambda: zipped(archive__data_dot_pkl=pickle.dumps([1, 2])),
    "a truncated pickle": lambda: pickle.dumps({"a": 1})[:-3],
    "a bomb": bomb,
    "no tensors": lambda: zipped(archive__data_dot_pkl=pickle.dumps({})),
    "keys that are numbers": lambda: zipped(archive__data_dot_pkl=pickle.dumps({1: 2})),
    "a recursive pickle": lambda: pickle.dumps(_ring()),
    "a pickle of 1e5 marks": lambda: b"(" * 100_000,
    "a module": lambda: b"cos\nsystem\n(S'touch harm'\ntR.",
}
FAST = ((".h5", "no weights"), (".keras", "text"), (".pt", "a pickle that runs code"))  # all others are slow
FORMS = {".h5": HDF5, ".weights.h5": HDF5, ".keras": KERAS, ".pt": TORCH, ".pth": TORCH}


def _ring() -> list:
    made: list = []
    made.append(made)
    return made


def _write(place: Place, name: str, make: Callable[[], bytes]) -> None:
    place.write(name, make())


def cases() -> Iterator[Case]:
    """Yield the cases."""
    base = replaced(replaced(FIT, "--backbone", "efficientnet_lite0"), "--unfreeze", "none")
    for suffix, table in FORMS.items():
        name = f"w{suffix}"
        argv = replaced(base, "--weights", name)
        for kind, make in {**ANY, **table}.items():
            prepare = partial(_write, name=name, make=make)
            slow = (suffix, kind) not in FAST  # the backbone is built before its weights are read
            yield Case(f"{suffix} {kind}", "fit", argv, name, prepare, slow=slow)
        for kind, damage in KINDS.items():
            yield Case(
                f"{suffix}: {kind}",
                "fit",
                argv,
                name,
                lambda place, name=name, damage=damage: damage(place.here / name),
                slow=suffix != ".pt",
            )
    folder = [*replaced(replaced(base, "--backbone", "resnet50"), "--weights", "radimagenet"), "--weights-dir"]
    for path, expected in (("<pictures>", "RadImageNet"), ("nowhere", "nowhere"), ("<image>", "")):
        yield Case(f"RadImageNet in {path}", "fit", [*folder, path], expected, slow=path != "nowhere")
    for kind, argv, expected in (
        ("unknown suffix", replaced(base, "--weights", "w.bin"), "w.bin"),
        ("no suffix", replaced(base, "--weights", "w"), "w"),
        ("RadImageNet without a folder", replaced(base, "--weights", "radimagenet"), "RadImageNet"),
        ("a scaling of others", [*base, "--scaling", "nope"], "nope"),
        ("for a tiny backbone", replaced(FIT, "--weights", "imagenet"), "Tiny"),
        ("PyTorch for a tiny backbone", replaced(FIT, "--weights", "w.pt"), "w.pt"),
    ):
        yield Case(kind, "fit", argv, expected)
