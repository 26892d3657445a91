"""What `deploy/` ships, judged by the tools of those for whom it is, and by running what can be run here."""

import asyncio
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.nginx import nginx_binary, write_configuration
from tests.support.nginx import shipped as shipped_nginx
from tests.support.redis_server import free_port
from tests.support.server import running
from wigwag_proto.findings import Grade
from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.stream_probe_io import probe
from wigwag_proto.stream_verdict import findings_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCS = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
UNIT = DEPLOY / "systemd" / "wigwag-server.service"
IN_GROUP = "it comes with the dependency group deploy, which `make test-long` installs"


def tool(name: str, why: str) -> str:
    """Return a program, or skip the test where there is none."""
    found = shutil.which(name, path=f"{BIN}:/usr/bin:/usr/sbin:/bin:/usr/local/bin")
    if found is None:
        pytest.skip(f"there is no {name} on this machine: {why}")
    return found


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.long
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = run(tool("hadolint", IN_GROUP), "--no-color", DEPLOY / "docker" / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_image_gets_what_it_is_made_of_and_runs_without_root() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()}
    let_in = set(re.findall(r"^!(.+)$", (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)
    user = re.search(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert user is not None
    assert int(user[1]) > 0


def test_the_health_check_of_the_image_tells_a_server_that_lives() -> None:
    command = re.search(r'CMD \["python", "-c", "(.+)"\]', (DEPLOY / "docker" / "Dockerfile").read_text())
    assert command is not None
    program = command[1].replace("8420", str(free_port()))
    assert run(sys.executable, "-c", program).returncode == 1


async def test_the_health_check_of_the_image_ends_with_0_where_a_server_lives(tmp_path: Path) -> None:
    command = re.search(r'CMD \["python", "-c", "(.+)"\]', (DEPLOY / "docker" / "Dockerfile").read_text())
    assert command is not None
    async with running(f"sqlite:{tmp_path / 'wigwag.db'}") as server:
        program = command[1].replace("8420", server.url.rpartition(":")[2])
        assert (await asyncio.to_thread(run, sys.executable, "-c", program)).returncode == 0


@pytest.mark.long
def test_the_compose_file_is_what_the_specification_says() -> None:
    if importlib.util.find_spec("compose_spec") is None:
        pytest.skip(f"there is no compose-spec on this machine: {IN_GROUP}")
    from compose_spec import PyCompose  # noqa: PLC0415 - only `make test-long` installs it

    text = (DEPLOY / "docker" / "compose.yaml").read_text(encoding="utf-8")
    PyCompose.from_yaml(text).validate()
    with pytest.raises(ValueError, match="restrt"):
        PyCompose.from_yaml(text.replace("restart:", "restrt:"))


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text(encoding="utf-8"))


def test_the_compose_file_names_what_there_is_and_lets_nobody_in_without_a_token() -> None:
    services = compose()["services"]
    build = services["wigwag"]["build"]
    context = (DEPLOY / "docker" / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    assert "WIGWAG_BOOTSTRAP_TOKEN:?" in services["wigwag"]["environment"]["WIGWAG_BOOTSTRAP_TOKEN"]
    mounted = {each.partition(":")[0] for service in services.values() for each in service["volumes"]}
    assert mounted == set(compose()["volumes"])
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in services.values())


@pytest.mark.long
def test_kubernetes_takes_the_manifests() -> None:
    done = run(tool("kubernetes-validate", IN_GROUP), "--strict", *sorted((DEPLOY / "kubernetes").glob("*.yaml")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("INFO") + done.stdout.count("passed") >= 4, done.stdout


def manifests() -> dict[str, Any]:
    text = (DEPLOY / "kubernetes" / "wigwag.yaml").read_text(encoding="utf-8")
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(text)}


def test_the_manifests_fit_together() -> None:
    found = manifests()
    servers = found["StatefulSet/wigwag"]["spec"]
    labels = servers["template"]["metadata"]["labels"]
    container = servers["template"]["spec"]["containers"][0]
    assert servers["selector"]["matchLabels"] == labels
    assert f"Service/{servers['serviceName']}" in found
    assert found["PodDisruptionBudget/wigwag"]["spec"]["selector"]["matchLabels"] == labels
    for service in ("Service/wigwag", "Service/wigwag-servers"):
        assert found[service]["spec"]["selector"] == labels
        assert found[service]["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    # With the store away, /readyz would take every server out, and with them the way of emergency kills.
    for probe_name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe_name]["httpGet"]["path"] == "/healthz"
    assert {each["mountPath"] for each in container["volumeMounts"]} == {"/data", "/tmp"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_options_that_the_files_set_exist() -> None:
    known = set(re.findall(r"`(WIGWAG_[A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")))
    used: set[str] = set()
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix != ".json":
            used |= set(re.findall(r"\b(WIGWAG_[A-Z_]*[A-Z])\b(?!…)", path.read_text(encoding="utf-8")))
    assert used - {"WIGWAG_SERVER"} <= known
    assert len(used) > 5


def test_systemd_takes_the_unit_and_finds_little_that_it_could_do_without(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze", "Debian: apt-get install systemd")
    # It also looks whether the program is there.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/wigwag/bin/wigwag-server", str(BIN / "wigwag-server")))
    done = run(analyze, "verify", "--man=no", unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = run(analyze, "security", "--offline=yes", "--threshold=15", unit)
    assert done.returncode == 0, done.stdout


def test_nginx_takes_the_configuration_as_it_is_shipped(tmp_path: Path) -> None:
    """But for the certificate, which is ours."""
    nginx = nginx_binary()
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    openssl = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=flags")
    assert run(*openssl, "-keyout", key, "-out", certificate).returncode == 0
    text = (DEPLOY / "nginx" / "wigwag.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/ssl/flags.example.pem", str(certificate))
    text = text.replace("/etc/ssl/private/flags.example.key", str(key))
    done = run(nginx, "-t", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", write_configuration(tmp_path, text))
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
    assert "127.0.0.1:1;" not in shipped_nginx(1, ["127.0.0.1:1"]).partition("server {")[2]


async def test_caddy_passes_streams_on_at_once(tmp_path: Path) -> None:
    caddy = tool("caddy", "Debian: apt-get install caddy")
    async with running(f"sqlite:{tmp_path / 'wigwag.db'}", heartbeat_s=0.5) as server:
        port = free_port()
        text = (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8")
        text = text.replace("127.0.0.1:8420 127.0.0.1:8421", f"127.0.0.1:{free_port()} {server.url}")
        text = text.replace("flags.example {", f"http://127.0.0.1:{port} {{")
        file = tmp_path / "Caddyfile"
        file.write_text("{\n\tadmin off\n}\n" + text)
        process = await asyncio.create_subprocess_exec(
            *(caddy, "run", "--adapter", "caddyfile", "--config", str(file)),
            env={"HOME": str(tmp_path)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            upstream = Upstream(f"http://127.0.0.1:{port}", server.key)
            async with asyncio.timeout(20):
                while (seen := await probe(upstream, patience_s=1.0)).health.status != 200:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
    found = findings_of(seen, upstream.url, seen.version, 0.0)
    assert [each for each in found if each.grade is not Grade.OK] == []
    assert {"buffering", "heartbeats"} <= {each.check for each in found}


def names_set_by(path: Path) -> set[str]:
    """Return what the docs have to explain of a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".service":
        part = text.partition("[Service]")[2].partition("StateDirectoryMode")[0]
        return set(re.findall(r"^(\w+)=", part, re.MULTILINE)) - {
            "ExecStart",
            "Environment",
            "RestartSec",
            "KillSignal",
        }
    if path.name == "Caddyfile":
        body = text.partition("reverse_proxy")[2]
        return set(re.findall(r"^\t+(\w+) [^{\n]+$", body, re.MULTILINE)) - {"dial_timeout"}
    return set(
        re.findall(
            r"^ {4,8}(proxy_(?!pass|set)\w+|gzip|least_conn|keepalive|client_max_body_size)\b", text, re.MULTILINE
        )
    )


@pytest.mark.parametrize("path", ["systemd/wigwag-server.service", "nginx/wigwag.conf", "caddy/Caddyfile"])
def test_the_docs_explain_each_setting(path: str) -> None:
    names = names_set_by(DEPLOY / path)
    assert len(names) > 4
    assert [name for name in sorted(names) if f"`{name}" not in DOCS and f", `{name}" not in DOCS] == []
