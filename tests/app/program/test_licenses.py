"""What the program is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.program import licenses as module
from app.program.licenses import FILE_NAME, Component, components, dump, installed


def install(folder: Path, name: str, metadata: str, files: dict[str, str] | None = None) -> None:
    """Put a distribution's metadata where ``importlib.metadata`` finds it."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    head = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n"
    for path, text in {"METADATA": head + metadata, **(files or {})}.items():
        target = info / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where Python looks for distributions."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_all_that_it_needs(site: Path) -> None:
    """Needs of needs, extras that are asked for, none that are not; a circle ends."""
    install(
        site,
        "zz-root",
        "License-Expression: MIT\n"
        "Requires-Dist: zz-b[fast]\n"
        "Requires-Dist: zz-dev; extra == 'dev'\n"
        "Requires-Dist: zz-old; python_version < '3'\n"
        "Requires-Dist: zz-absent\n",
    )
    install(site, "zz-b", "Requires-Dist: zz-fast; extra == 'fast'\nRequires-Dist: zz-root\n")
    for name in ("zz-fast", "zz-dev", "zz-old"):
        install(site, name, "")
    assert [c.name for c in installed("zz-root")] == ["zz-b", "zz-fast", "zz-root"]


def test_a_root_that_is_not_installed() -> None:
    """It needs nothing."""
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
    """Found wherever metadata has had them over the years."""
    install(site, "zz-one", metadata, files)
    assert installed("zz-one") == [Component("zz-one", "1.0", licence, text)]


def test_what_this_program_needs() -> None:
    """Its own dependencies are all there, each with a licence."""
    found = {component.name.lower(): component for component in components()}
    assert {"gevent", "greenlet", "gunicorn", "flask", "pydantic_core"} <= found.keys()
    assert [c.name for c in found.values() if not (c.licence and c.version)] == []


def test_in_the_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build's list is read back as it was written."""
    listed = [Component("libx", "", "see its text", "… \u00a9")]
    (tmp_path / FILE_NAME).write_text(dump(listed), encoding="utf-8")
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    assert components() == listed
