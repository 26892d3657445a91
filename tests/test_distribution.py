"""What is given to people: the sdist, and the wheel that is built from it."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"wigwag", "wigwag_proto", "wigwag_pytest", "wigwag_server"}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("build", "--outdir", str(folder), str(ROOT))
    return folder


def run(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_an_index_would_take_both(built: Path) -> None:
    said = run("twine", "check", "--strict", *map(str, built.iterdir()))
    assert said.count("PASSED") == 2


@pytest.mark.timeout(300)
def test_the_wheel_has_the_packages_whole_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert not [name for name in names if "__pycache__" in name or name.endswith((".orig", ".rej", ".pyc"))]
    for package in PACKAGES:
        (source,) = [found for found in ROOT.glob(f"*/{package}") if found.is_dir()]
        here = {f"{package}/{path.relative_to(source)}" for path in source.rglob("*") if is_ours(path)}
        assert here == {name for name in names if name.startswith(f"{package}/")}


def is_ours(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


@pytest.mark.timeout(300)
def test_the_sdist_has_what_a_wheel_is_built_from(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    inside = {name.split("/")[1] for name in names if "/" in name}
    assert inside <= {
        "proto",
        "client",
        "server",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "pyproject.toml",
        "PKG-INFO",
        ".gitignore",
    }
    assert {"proto", "client", "server", "LICENSE", "README.md"} <= inside


@pytest.mark.timeout(300)
def test_the_version_is_the_one_that_the_changelog_is_about(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    version = wheel.name.split("-")[1]
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heading is not None
    assert heading[1] == version
