"""A run that is saved and taken up again is the run that was never stopped."""

import json
import os
import signal
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from abplib import ABP, LinearGenerator, Model2, Settings, View, checkpoint


def linear_run(iterations: int = 12) -> ABP:
    """Batches, a falling rate and a shared stream of noise: all that a resume can get wrong."""
    torch.manual_seed(0)
    x = torch.randn(7, 5)
    view = View(LinearGenerator(torch.randn(5, 2)), x, bounded=False)
    settings = Settings(iterations, 3, batch_size=2, decay=0.5, learning_rate=1e-2)
    return ABP([view], (2,), settings, seed=1)


def model2_run(norm: str) -> ABP:
    torch.manual_seed(0)
    x = torch.rand(2, 3, 16, 16, 16) - 0.5
    network = Model2(3, frame_size=(16, 16), time_kernel=1, width=1 / 64, norm=norm)
    shape = network.latent_shape(16, 16, 16)
    return ABP([View(network, x, weight=1 / 16)], shape, Settings(4, 2, batch_size=1), seed=1)


def same(a, b) -> bool:
    """Equal in every bit and type, through every nesting."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("stop", [1, 3, 11])
@pytest.mark.parametrize("make", [linear_run, lambda: model2_run("batch")], ids=["linear", "m2"])
def test_resumed_run_equals_uninterrupted_run(tmp_path, make, stop):
    whole = make()
    stop = min(stop, whole.settings.iterations - 1)
    whole.fit(progress=False)
    first = make()
    for _ in range(stop):
        first.iterate()
    checkpoint.save(tmp_path / "run.safetensors", first.state())
    torch.manual_seed(99)  # the second process knows nothing of the first one's random state
    second = make()
    second.z = torch.full_like(second.z, float("nan"))  # nothing of it may survive
    second.restore(checkpoint.load(tmp_path / "run.safetensors"))
    second.fit(progress=False)
    assert same(second.state(), whole.state())  # bit for bit: the same operations in one order
    assert not same(first.state(), whole.state())


def test_state_survives_the_file_unchanged(tmp_path):
    run = model2_run("sequence")
    run.iterate()
    file = checkpoint.save(tmp_path / "run.safetensors", run.state())
    assert same(checkpoint.load(file), run.state())


def test_values_keep_their_types(tmp_path):
    state = {
        "tuple": (1, 2.5, None, True),
        "keys": {0: "a", "0": "b", None: []},
        "inf": [float("inf"), 0.1 + 0.2],
        "$tensor": {"$tuple": "a name that looks like a mark"},
        "bytes": torch.arange(5, dtype=torch.uint8),
        "scalar": torch.tensor(3.0, dtype=torch.float64),
        "view": torch.arange(6.0).view(2, 3).T,
        "empty": torch.zeros(0, 3),
    }
    state["again"] = state["view"]  # memory shared by two names
    assert same(checkpoint.load(checkpoint.save(tmp_path / "a", state)), state)


def test_killed_while_saving_leaves_the_old_file(tmp_path):
    """A process that is killed in the midst of replacing the file: the old one is intact."""
    file = tmp_path / "run.safetensors"
    checkpoint.save(file, {"z": torch.ones(3)})
    program = (
        "import os, signal, sys, torch\n"
        "from abplib import checkpoint\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "checkpoint.save(sys.argv[1], {'z': torch.zeros(3)})\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert torch.equal(checkpoint.load(file)["z"], torch.ones(3))


def test_error_while_saving_leaves_no_litter(tmp_path, monkeypatch):
    def full(_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(tmp_path / "a", {"z": torch.ones(3)})
    assert list(tmp_path.iterdir()) == []


def test_unknown_value_is_named(tmp_path):
    with pytest.raises(TypeError, match=r"state\.a\.1 is a set; a checkpoint holds tensors"):
        checkpoint.save(tmp_path / "a", {"a": [1, {2}]})
    assert list(tmp_path.iterdir()) == []


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        checkpoint.load(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match=r"no folder .*: make it first"):
        checkpoint.save(tmp_path / "nowhere" / "a", {})


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_file(tmp_path, keep):
    file = checkpoint.save(tmp_path / "a", linear_run().state())
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match="cut short, damaged or no checkpoint"):
        checkpoint.load(file)


def test_foreign_files(tmp_path):
    file = tmp_path / "a"
    torch.save({"z": torch.ones(3)}, file)  # a pickle: refused, never opened as one
    with pytest.raises(ValueError, match="cut short, damaged or no checkpoint"):
        checkpoint.load(file)
    safetensors.torch.save_file({"z": torch.ones(3)}, file)
    with pytest.raises(ValueError, match="written by something else"):
        checkpoint.load(file)
    notes = {"format": checkpoint.FORMAT, "state": json.dumps({"$tensor": "missing"})}
    safetensors.torch.save_file({"z": torch.ones(3)}, file, notes)
    with pytest.raises(ValueError, match="does not hold together"):
        checkpoint.load(file)


def test_state_of_another_run_is_refused(tmp_path):
    file = checkpoint.save(tmp_path / "a", linear_run().state())
    with pytest.raises(ValueError, match="saved latents are"):
        model2_run("batch").restore(checkpoint.load(file))
