"""Immutable folders of trained things: NumPy arrays and JSON, checked by sha256, no pickle.

A folder holds ``<stem>.npz`` (arrays), ``<stem>.npy`` (arrays read through a memory map, shared by web
processes), ``<stem>.json`` (documents) and ``manifest.json`` with the kind, the
schema version and the size and sha256 of every other file. It is written under a temporary name, flushed to
disk and renamed, so a reader sees a whole artefact or none. Equal contents give equal bytes: no time is stored.
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"

Arrays = Mapping[str, NDArray[Any]]


class ArtifactError(ValueError):
    """A folder that is no artefact, or one whose bytes are not those that were written."""


@dataclass(frozen=True)
class Artifact:
    """One artefact read back: arrays by stem and name, documents and mapped arrays by stem, its manifest."""

    kind: str
    arrays: dict[str, dict[str, NDArray[Any]]]
    documents: dict[str, Any]
    manifest: dict[str, Any]
    mapped: dict[str, NDArray[Any]] = field(default_factory=dict)


def write_artifact(
    folder: str | os.PathLike[str],
    *,
    kind: str,
    arrays: Mapping[str, Arrays] | None = None,
    documents: Mapping[str, Any] | None = None,
    mapped: Arrays | None = None,
) -> dict[str, Any]:
    """Write an artefact to `folder` (which may not exist yet, or is empty) and return its manifest.

    `arrays` maps a file stem to named arrays (numbers, booleans or fixed-width text, never objects);
    `documents` maps a file stem to JSON values; `mapped` a file stem to one array that readers map. Raises ArtifactError when the folder holds something already.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ArtifactError(f"Expected a folder that does not exist yet, received: {target}")
    contents = _contents(arrays or {}, documents or {}, mapped or {})
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(contents.items())
        },
    }
    contents[MANIFEST] = _json_bytes(manifest)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name, data in contents.items():
            _write_flushed(temporary / name, data)
        temporary.chmod(0o755)
        _flush_folder(temporary)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _flush_folder(target.parent)
    return manifest


def read_artifact(folder: str | os.PathLike[str]) -> Artifact:
    """Read an artefact and check every byte against its manifest. Raises ArtifactError."""
    source = Path(folder)
    manifest = read_manifest(source)
    arrays: dict[str, dict[str, NDArray[Any]]] = {}
    documents: dict[str, Any] = {}
    mapped: dict[str, NDArray[Any]] = {}
    for name, entry in manifest["files"].items():
        data = _read_checked(source / name, entry)
        stem = Path(name).stem
        if name.endswith(".npz"):
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                arrays[stem] = {key: stored[key] for key in stored.files}
        elif name.endswith(".npy"):
            mapped[stem] = np.load(source / name, mmap_mode="r", allow_pickle=False)
        else:
            documents[stem] = json.loads(data)
    return Artifact(
        kind=manifest["kind"], arrays=arrays, documents=documents, manifest=manifest, mapped=mapped
    )


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the manifest alone, without reading the arrays. Raises ArtifactError."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise ArtifactError(f"Expected an artefact with {MANIFEST}, received: {folder}")
    manifest: dict[str, Any] = json.loads(path.read_bytes())
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"Expected schema_version {SCHEMA_VERSION}, received: {manifest.get('schema_version')!r}"
        )
    return manifest


def _contents(
    arrays: Mapping[str, Arrays], documents: Mapping[str, Any], mapped: Arrays
) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for stem, named in arrays.items():
        for name, array in named.items():
            if np.asarray(array).dtype.hasobject:
                raise ArtifactError(
                    f"Expected plain numbers or text in {stem}/{name}, received: objects"
                )
        buffer = io.BytesIO()
        np.savez(
            buffer, allow_pickle=False, **{name: np.asarray(named[name]) for name in sorted(named)}
        )
        contents[f"{stem}.npz"] = buffer.getvalue()
    for stem, array in mapped.items():
        if np.asarray(array).dtype.hasobject:
            raise ArtifactError(f"Expected plain numbers or text in {stem}, received: objects")
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
        contents[f"{stem}.npy"] = buffer.getvalue()
    for stem, document in documents.items():
        if f"{stem}.json" == MANIFEST:
            raise ArtifactError(f"Expected a document name other than {stem!r}, received: {stem!r}")
        contents[f"{stem}.json"] = _json_bytes(document)
    return contents


def _json_bytes(document: Any) -> bytes:
    text = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def _read_checked(path: Path, entry: Mapping[str, Any]) -> bytes:
    if not path.is_file():
        raise ArtifactError(f"Expected the file {path.name}, received: nothing")
    data = path.read_bytes()
    received = hashlib.sha256(data).hexdigest()
    if received != entry["sha256"]:
        raise ArtifactError(
            f"Expected sha256 {entry['sha256']} of {path.name}, received: {received}"
        )
    return data


def _write_flushed(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
