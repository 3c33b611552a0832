"""The types of the browser client: what ``tsc`` says of its file, its declaration and their use."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.packages_folder import installed_packages
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("npm")

STATIC = ROOT / "gateway_shim" / "static"
CHECK = Path(__file__).parent / "check"

RENAMED = ["SharedEventSource", "onState", "reconnect", "finished"]
"""Names that the declaration promises. A client in which one has another name is an error."""


def problems(folder: Path) -> list[str]:
    """Return the errors that ``tsc`` reports for a folder with a tsconfig.json."""
    node = shutil.which("node")
    assert node is not None
    result = subprocess.run(
        [node, str(installed_packages() / "typescript" / "bin" / "tsc"), "-p", str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=3 * TIME_LIMIT,
        check=False,
    )
    lines = result.stdout.splitlines()
    assert (result.returncode == 0) is (lines == []), result.stdout + result.stderr
    return lines


EXAMPLES = [
    ROOT / "tests" / "browser" / "react" / "app" / "hooks.js",
    ROOT / "tests" / "browser" / "vite" / "app" / "src" / "stream.js",
]
"""Files that docs/frontend.md shows. They must be right in the editors of its readers, too."""


def copy_check(target: Path, renamed: str = "") -> None:
    """Copy the files of the check, the declarations and the modules to a new folder.

    Args:
        target: the new folder.
        renamed: a name that the modules do not have any more; empty: they are as they are.
    """
    shutil.copytree(CHECK, target)
    for declaration in STATIC.glob("*.d.ts"):
        shutil.copy(declaration, target)
    for module in STATIC.glob("*.js"):
        text = module.read_text().replace('from "./', 'from "./copy-of-')
        if renamed:
            text = re.sub(rf"\b{renamed}\b", "newName", text)
        (target / f"copy-of-{module.name}").write_text(text)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Run ``tsc`` once, for the modules as they are and for those in which a name has changed."""
    folder = tmp_path_factory.mktemp("types")
    (folder / "node_modules").symlink_to(installed_packages())  # has the types of React
    shutil.copy(CHECK / "tsconfig.json", folder)
    copy_check(folder / "present")
    for example in EXAMPLES:
        shutil.copy(example, folder / "present")
    for name in RENAMED:
        copy_check(folder / name, name)
        (folder / name / "usage.ts").unlink()
    return problems(folder)


def test_client_and_declarations(lines: list[str]) -> None:
    """The client is as its declarations say, and can be used as its declarations allow."""
    folders = (*(f"{name}/" for name in RENAMED), " ")  # a line of details begins with a space
    assert [line for line in lines if not line.startswith(folders)] == []


@pytest.mark.parametrize("name", RENAMED)
def test_differences_are_noticed(lines: list[str], name: str) -> None:
    """A client that lacks a name that its declarations promise is an error."""
    assert [line for line in lines if line.startswith(f"{name}/")]
