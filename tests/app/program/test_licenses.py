"""The parts of the program and their licenses."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.program import licenses as module
from app.program.licenses import FILE_NAME, Component, components, dump, installed


def install(folder: Path, name: str, metadata: str, files: dict[str, str] | None = None) -> None:
    """Write a distribution's metadata to a folder that ``importlib.metadata`` searches."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    head = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n"
    for path, text in {"METADATA": head + metadata, **(files or {})}.items():
        target = info / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that Python searches for distributions."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_all_that_it_needs(site: Path) -> None:
    """Dependencies are found recursively, with the requested extras only, and those for serving."""
    install(
        site,
        "zz-root",
        "License-Expression: MIT\n"
        "Requires-Dist: zz-b[fast]\n"
        "Requires-Dist: zz-dev; extra == 'dev'\n"
        "Requires-Dist: zz-redis; extra == 'redis'\n"
        "Requires-Dist: zz-old; python_version < '3'\n"
        "Requires-Dist: zz-absent\n",
    )
    install(site, "zz-b", "Requires-Dist: zz-fast; extra == 'fast'\nRequires-Dist: zz-root\n")
    for name in ("zz-fast", "zz-dev", "zz-old"):
        install(site, name, "")
    assert [c.name for c in installed("zz-root")] == ["zz-b", "zz-fast", "zz-root"]
    install(site, "zz-redis", "")
    assert [c.name for c in installed("zz-root")] == ["zz-b", "zz-fast", "zz-redis", "zz-root"]


def test_a_root_that_is_not_installed() -> None:
    """A distribution that is not installed has no parts."""
    assert installed("zz-absent") == []


@pytest.mark.parametrize(
    ("metadata", "files", "licence", "text"),
    [
        (
            "License-Expression: MIT\nLicense-File: LICENSE\nLicense-File: NOTICE\n",
            {"licenses/LICENSE": "new place", "NOTICE": "old place"},
            "MIT",
            "new place\n\nold place",
        ),
        ("License: BSD\n", {"LICENSE.txt": "usual name"}, "BSD", "usual name"),
        ("Classifier: License :: OSI Approved :: Apache Software License\n", {},
         "Apache Software License", ""),
        ("License: Permission\n        is granted\n", {}, "see its text",
         "Permission\nis granted"),
    ],
)  # fmt: skip
def test_licence_and_text(
    site: Path, metadata: str, files: dict[str, str], licence: str, text: str
) -> None:
    """A license is found in every form that metadata has had over the years."""
    install(site, "zz-one", metadata, files)
    assert installed("zz-one") == [Component("zz-one", "1.0", licence, text)]


def test_what_this_program_needs() -> None:
    """Every dependency of this program is listed with a license and a version."""
    found = {component.name.lower(): component for component in components()}
    assert {"gevent", "greenlet", "gunicorn", "flask", "pydantic_core"} <= found.keys()
    assert [c.name for c in found.values() if not (c.licence and c.version)] == []


def test_in_the_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of the build is read back as it was written."""
    listed = [Component("libx", "", "see its text", "… \u00a9")]
    (tmp_path / FILE_NAME).write_text(dump(listed), encoding="utf-8")
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    assert components() == listed
