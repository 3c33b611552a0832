"""The modules of the browser client: short, alone, and without any effect until they are used."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.tabs import Browser
from tests.browser.vite.page_server import PageServer
from tests.browser.vite.vite_app import STATIC, copy_client
from tests.support.timing import TIME_LIMIT

MODULES = sorted(STATIC.glob("*.js"))
DECLARED = sorted(path.name.removesuffix(".d.ts") for path in STATIC.glob("*.d.ts"))
"""The modules that pages import. The other ones are parts of them."""

LINES = 620
"""The largest number of lines of a module. A person reads it in one sitting."""

COLUMNS = 100
"""The largest number of characters of a line."""

PAGE = """<!doctype html><title>import</title><link rel="icon" href="data:,"><script type="module">
const calls = [];
const watch = (object, name) => {
  const original = object[name];
  object[name] = function (...args) {
    // Playwright calls some of them, too.
    if (new Error().stack.includes("/sse-")) calls.push(name);
    return new.target ? new original(...args) : original.apply(this, args);
  };
};
for (const name of ["fetch", "setTimeout", "setInterval", "SharedWorker", "BroadcastChannel"])
  watch(window, name);
watch(EventTarget.prototype, "addEventListener");
watch(LockManager.prototype, "request");
watch(Storage.prototype, "setItem");
const before = Object.getOwnPropertyNames(window);
const client = await import("/sse-client.js");
await import("/sse-event-source.js");
const added = Object.getOwnPropertyNames(window).filter((name) => !before.includes(name));
const importing = calls.splice(0);
let stream;
if (location.search) stream = client.connect();
window.effects = { importing, added, using: calls };
</script>"""


def exports(name: str) -> list[str]:
    """Return the names that a declaration says the module exports, types left out."""
    pattern = r"^export (?:declare )?(?:function|class|const) (\w+)"
    return sorted(re.findall(pattern, (STATIC / f"{name}.d.ts").read_text(), re.MULTILINE))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_size(module: Path) -> None:
    """A module is short enough to be read, and no line is too long."""
    lines = module.read_text().splitlines()
    assert len(lines) <= LINES
    assert [line for line in lines if len(line) > COLUMNS] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_dependencies(module: Path) -> None:
    """A module imports only its neighbors, so that the folder can be copied anywhere."""
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", module.read_text(), flags=re.DOTALL)
    imports = len(re.findall(r"\bimport\b(?!\.meta)|\brequire\b", code))
    names = re.findall(r'^import \{[^}]+\} from "\./([\w.-]+)";$', code, re.MULTILINE)
    assert len(names) == imports
    assert {STATIC / name for name in names} <= set(MODULES)


@pytest.mark.needs("node")
@pytest.mark.parametrize("name", DECLARED)
def test_import_in_node(name: str) -> None:
    """Node.js, which renders pages on servers, can import a module, and ends by itself then."""
    node = shutil.which("node")
    assert node is not None
    program = (
        "const before = Object.getOwnPropertyNames(globalThis);"
        f"const module = await import({json.dumps((STATIC / f'{name}.js').as_uri())});"
        "const added = Object.getOwnPropertyNames(globalThis).filter((n) => !before.includes(n));"
        "console.log(JSON.stringify([Object.keys(module).sort(), added]));"
    )
    # Otherwise, Node.js says that no package.json tells it the kind of the module.
    command = [node, "--no-warnings", "--experimental-default-type=module"]
    result = subprocess.run(
        [*command, "--input-type=module", "-e", program],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=True,
    )
    assert result.stderr == ""
    assert json.loads(result.stdout) == [exports(name), []]


@pytest.mark.needs("chromium", "playwright")
def test_import_in_a_page(chromium: Browser, tmp_path: Path) -> None:
    """An import sends nothing, starts nothing and listens to nothing. Only `connect` does."""
    (tmp_path / "index.html").write_text(PAGE)
    copy_client(tmp_path)
    with PageServer(tmp_path, 9) as pages, chromium.context() as context:
        tab = context.tab(f"{pages.origin}/")
        tab.wait_for("window.effects")
        assert tab.evaluate("effects") == {"importing": [], "added": [], "using": []}
        tab.goto(f"{pages.origin}/?connect")
        tab.wait_for("window.effects")
        assert tab.evaluate("effects.importing") == []
        assert tab.evaluate("effects.using") != []
