"""The bundle that is shipped: made of the sources beside it, complete, asking for nothing."""

import hashlib
import json
import re
from pathlib import Path

from cupixgeo.widgets.scene_widget import FRONTEND

BUNDLE = (FRONTEND / "dist" / "scene.js").read_text("utf-8")


def test_the_bundle_is_made_of_the_sources_as_they_are():
    """After a change to a source: npm ci && npm run build, in the folder frontend."""
    sources = [f"src/{path.name}" for path in sorted((FRONTEND / "src").iterdir())]
    digest = hashlib.sha256()
    for name in [*sources, "build.js", "package-lock.json"]:
        digest.update(f"{name}\n".encode() + (FRONTEND / name).read_bytes())
    assert BUNDLE.startswith(f"/* made of {digest.hexdigest()} by build.js")


def test_the_licence_of_three_js_is_kept_with_it():
    licence = (FRONTEND / "dist" / "three-LICENSE.txt").read_text()
    assert "The MIT License" in licence
    assert "three.js authors" in licence
    assert "three-LICENSE.txt" in BUNDLE[:300]
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert "cupixgeo/widgets/frontend/dist/three-LICENSE.txt" in project


def test_the_lock_file_pins_versions_and_names_no_server():
    text = (FRONTEND / "package-lock.json").read_text()
    assert "resolved" not in text
    assert "://" not in text.replace("https://opencollective.com", "")
    packages = json.loads(text)["packages"]
    wanted = json.loads((FRONTEND / "package.json").read_text())
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version
        assert packages[f"node_modules/{name}"]["integrity"].startswith("sha512-")


def test_the_bundle_loads_nothing():
    assert not re.search(r"\bimport\b\s*[{*\"'(]", BUNDLE)
    assert "XMLHttpRequest" not in BUNDLE
    for code in ((FRONTEND / "src").iterdir(), (FRONTEND / "scene.css",)):
        for path in code:
            addresses = re.findall(r"https?://[^\s\"']+", path.read_text())
            assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path
