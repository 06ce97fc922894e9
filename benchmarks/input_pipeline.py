"""Images per second of the augmented input pipeline, compared with other packages on the same files.

    python benchmarks/input_pipeline.py --data FOLDER_OF_CLASS_FOLDERS
    python benchmarks/input_pipeline.py --data FOLDER --peers PYTHON --peer-script SCRIPT --json result.json

Without --data, 400 simulated images are written to a temporary folder. PYTHON is the interpreter of an environment with
the other packages. SCRIPT is called with the folder, image size and batch size, and prints one JSON line
{"peer": name, "images_per_s": rate} per package. keras_radtl is measured before and after it, and the faster pass is
reported, because other processes can only slow a pass down.

The rate is that of an epoch of training batches (shuffled, rotated, shifted, sheared, zoomed, flipped; uint8). Images
are decoded once, before the first epoch; the decoding time and the rate of a first epoch are reported separately.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

OURS = "keras_radtl"


def measure(pixels, batch_size: int, workers: int | None, passes: int, epochs: int = 4) -> float:
    """Return the images per second of the fastest of some passes over several epochs."""
    import numpy as np

    from keras_radtl.config import AugmentConfig
    from keras_radtl.data.pipeline import training_batches

    targets, indices, best = np.zeros(len(pixels), np.int32), np.arange(len(pixels)), 0.0
    for seed in range(passes):
        batches = training_batches(
            pixels, targets, indices, batch_size, seed, AugmentConfig(), 0, epochs, workers=workers
        )
        start = time.perf_counter()
        count = sum(len(images) for images, _, _ in batches)
        best = max(best, count / (time.perf_counter() - start))
    return best


def load(folder: Path, image_size: int, channels: str):
    """Return the uint8 pixels of a folder of class folders and the seconds it took to decode and resize them."""
    from keras_radtl.config import DataConfig
    from keras_radtl.data.images import load_images
    from keras_radtl.data.sources import read_table

    config = DataConfig(path=str(folder), channels=channels)
    start = time.perf_counter()
    pixels = load_images(read_table(config), config, image_size).pixels
    return pixels, time.perf_counter() - start


def run_peers(arguments, folder: Path) -> list[dict]:
    """Run the script of the other packages and return its JSON lines."""
    command = [arguments.peers, arguments.peer_script, folder, arguments.image_size, arguments.batch_size]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arguments.peer_script} failed:\n{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def run(arguments, folder: Path) -> dict:
    """Measure keras_radtl and the other packages on a folder."""
    pixels, decoding = load(folder, arguments.image_size, arguments.channels)
    rates = [measure(pixels, arguments.batch_size, arguments.workers, arguments.passes)]
    peers = run_peers(arguments, folder) if arguments.peers else []
    if peers:
        rates.append(measure(pixels, arguments.batch_size, arguments.workers, arguments.passes))
    rate, n = max(rates), len(pixels)
    return {
        "folder": str(folder),
        "images": n,
        "shape": list(pixels.shape[1:]),
        "batch_size": arguments.batch_size,
        "cores": os.cpu_count(),
        "decode_seconds": round(decoding, 2),
        "first_epoch_images_per_s": round(n / (decoding + n / rate), 1),
        "images_per_s": {OURS: round(rate, 1)} | {peer["peer"]: peer["images_per_s"] for peer in peers},
    }


def table(result: dict) -> str:
    """Return the result as lines for the terminal."""
    height, width, channels = result["shape"]
    ours = result["images_per_s"][OURS]
    names = max(map(len, result["images_per_s"]))
    lines = [
        f"{result['images']} images of {height}x{width}x{channels}, batches of {result['batch_size']}",
        f"decoding {result['decode_seconds']} s; first epoch with it {result['first_epoch_images_per_s']} images/s",
        f"{'':{names}}  images/s  {OURS} is faster by",
    ]
    for name, rate in result["images_per_s"].items():
        lines.append(f"{name:{names}}  {rate:8.0f}  {'' if name == OURS else f'{ours / rate:.1f} times'}".rstrip())
    return "\n".join(lines)


def main(argv=None) -> None:
    """Measure, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of class folders of PNG files (default: simulated images)")
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--channels", choices=("grey", "rgb", "auto"), default="grey", help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, help="parallel batches (default: one per core)")
    parser.add_argument(
        "--passes", type=int, default=5, help="repetitions; the fastest is reported (default: %(default)s)"
    )
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter with the other packages")
    parser.add_argument("--peer-script", metavar="SCRIPT", type=Path, help="script that measures them")
    parser.add_argument("--json", type=Path, help="file for the result")
    arguments = parser.parse_args(argv)
    if bool(arguments.peers) != bool(arguments.peer_script):
        parser.error("--peers and --peer-script go together")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data
        if folder is None:
            from keras_radtl.config import PhantomConfig
            from keras_radtl.data.phantoms.generate import write_phantoms

            folder = Path(temporary) / "phantoms"
            write_phantoms(folder, PhantomConfig(image_size=arguments.image_size), masks=False)
        result = run(arguments, folder)
    sys.stdout.write(table(result) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
