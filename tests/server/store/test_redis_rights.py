"""A server gets along with the rights that the docs tell to give it, over TLS, and with no others."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.support.redis_server import RedisServer, free_port
from tests.support.server import running
from tests.support.waiting import until

DEPLOYMENT = Path(__file__).parents[3] / "docs" / "redis.md"


def documented_rights() -> list[str]:
    """Return the words of the user's line in the docs."""
    line = re.search(r"^user wigwag (.+?)\n```", DEPLOYMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert line is not None
    return line.group(1).replace("\\\n", " ").replace("PASSWORD", "secret").split()


async def ask(redis: Redis, *words: str) -> Any:
    return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


async def test_the_documented_rights_are_enough_and_none_is_missed(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = free_port()
    options = {"tls-port": tls, "tls-cert-file": certificate, "tls-key-file": key, "tls-auth-clients": "no"}
    async with RedisServer(tmp_path / "redis", options) as redis, redis.connection() as admin:
        await ask(admin, "ACL", "SETUSER", "wigwag", *documented_rights())
        url = f"rediss://wigwag:secret@127.0.0.1:{tls}/0?ssl_ca_certs={certificate}"
        async with running(url, data_dir=tmp_path / "data") as server:
            async with server.client(report_every_s=0.1) as flags:
                await server.put("checkout", enabled=True)
                await until(lambda: flags.is_enabled("checkout"), "the flag")
                await server.kill("checkout")
                await until(lambda: not flags.is_enabled("checkout"), "the kill, by the feed")
                assert (await server.ask("GET", "/admin/flags/checkout/history")).status == 200
                assert (await server.ask("GET", "/admin/audit")).status == 200
                assert (await server.ask("GET", "/admin/audit/verify")).status == 200
                assert (await server.ask("GET", "/admin/instances")).status == 200
                assert (await server.ask("GET", "/admin/flags/checkout/metrics")).status == 200
                assert (await server.ask("GET", "/admin/usage")).status == 200
                assert (await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")).status == 204
            await server.services.instances.roster.reap("production")
        denied = await ask(admin, "ACL", "LOG")
        assert denied == [], "a command or key that the docs do not permit was asked for"
        async with Redis.from_url(url) as limited:
            for words in (("FLUSHALL",), ("CONFIG", "GET", "*"), ("GET", "elsewhere"), ("KEYS", "*")):
                with pytest.raises(Exception, match=r"(?i)permission"):
                    await ask(limited, *words)
