"""The command as it is installed without what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("missing", ["typer", "redis", "aiosqlite", "prometheus_client"])
def test_an_install_without_the_extra_says_how_to_get_it(missing: str, tmp_path: Path) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; from wigwag_server.entry import main; main()"
    words = [sys.executable, "-c", program, "--version"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        f'wigwag-server: the server needs {missing}, which is not installed: pip install "wigwag[server]"\n'
    )
