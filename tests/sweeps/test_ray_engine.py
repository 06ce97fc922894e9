"""The Ray engine: what a Ray process returns, and a cluster of two nodes on which a worker is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from keras_radtl.config import Config, update
from keras_radtl.runs.files import read_csv
from keras_radtl.sweeps.execute import execute_sweep
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.local_engine import run_local
from keras_radtl.sweeps.ray_engine import _execute, _workers, run_ray
from keras_radtl.sweeps.run_list import RunSpec, to_json

RUN = {
    "data": {"image_size": 32, "phantoms": {"count": 40, "image_size": 32}},
    "model": {"backbone": "tiny", "weights": "none", "head": {"name": "linear"}},
    "training": {"epochs": 1, "unfreeze": "none"},
}


@pytest.fixture
def cluster(monkeypatch):
    """Start a cluster of two nodes with one processor each, and connect to it."""
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])))
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    started.add_node(num_cpus=1)
    ray.init(address=started.address, log_to_driver=False)
    yield started
    ray.shutdown()
    started.shutdown()


def _kill_first_worker(killed: list[int]) -> None:
    """Kill the first process of Ray that executes a run, a moment after it began."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cmdline").read_bytes().startswith(b"ray::_execute"):
                    time.sleep(0.3)
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed.append(int(entry.name))
                    return
            except OSError:
                continue
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of Ray about its own sockets and processes
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_two_nodes_give_the_results_of_one_machine(tmp_path, write_list, cluster, tiny_backbone):
    base = update(Config(), RUN)
    runs = [RunSpec(f"seed{seed}", replace(base, seed=seed), {"seed": seed}) for seed in (0, 1)]
    options = SweepOptions(module=str(write_list("return []")))
    killed: list[int] = []
    killer = threading.Thread(target=_kill_first_worker, args=(killed,))
    killer.start()
    far = execute_sweep(
        runs, {}, SweepFolder(tmp_path / "far"), options, lambda *a: run_ray(*a, address=cluster.address)
    )
    killer.join()
    assert killed
    near = execute_sweep(runs, {}, SweepFolder(tmp_path / "near"), options, run_local)
    assert [row["status"] for row in far.rows.values()] == ["finished"] * 2, far.rows
    tables = [
        [{name: value for name, value in row.items() if name != "seconds"} for row in read_csv(results.folder.results)]
        for results in (far, near)
    ]
    assert tables[0] == tables[1]
    for run in runs:
        one, other = (results.folder.run(run.name) / "predictions_test.csv" for results in (far, near))
        assert one.read_bytes() == other.read_bytes()


def test_a_ray_process_returns_the_files_of_a_run_or_the_reason(write_list, tiny_backbone):
    """Called here, without Ray."""
    options = asdict(SweepOptions(module=str(write_list("return []"))))
    base = update(Config(), RUN)
    refused = update(base, {"data": {"path": "/nowhere"}})
    try:
        error, seconds, files = _execute(to_json([RunSpec("a", base, {})])[0], options)
        assert error is None and seconds > 0
        assert {"status.json", "metrics.json", "predictions_test.csv"} <= set(files)
        error, _, files = _execute(to_json([RunSpec("b", refused, {})])[0], options)
        assert "/nowhere" in error and files == {}
    finally:
        _workers.pop("cache").cleanup()
        _workers.clear()
