from pathlib import Path

import numpy as np
import pytest

from forecasting.engine.artifact_store import ArtifactError, read_artifact, write_artifact


def write(folder: Path) -> None:
    write_artifact(
        folder,
        kind="test",
        arrays={"weights": {"a": np.arange(3), "b": np.array(["x", "yz"])}},
        documents={"config": {"rate": 0.5}},
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "one")
    found = read_artifact(tmp_path / "one")
    assert found.kind == "test"
    assert found.documents == {"config": {"rate": 0.5}}
    np.testing.assert_array_equal(found.arrays["weights"]["a"], [0, 1, 2])
    assert found.arrays["weights"]["b"].tolist() == ["x", "yz"]


def test_equal_contents_are_equal_bytes_and_no_temporary_folder_stays(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one", "two"]


def test_a_written_folder_is_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "one")
    with pytest.raises(ArtifactError, match="does not exist yet"):
        write(tmp_path / "one")


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    write(tmp_path / "one")
    (tmp_path / "one" / "config.json").write_text('{"rate": 0.6}\n')
    with pytest.raises(ArtifactError, match=r"sha256 .* of config\.json"):
        read_artifact(tmp_path / "one")


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="weights/a"):
        write_artifact(
            tmp_path / "one", kind="test", arrays={"weights": {"a": np.array([object()])}}
        )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_manifest_is_no_artefact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        read_artifact(tmp_path)
