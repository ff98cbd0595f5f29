"""The lab as others see it: over sockets, over the transport, and by the configuration it writes."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from dotenv import dotenv_values
from ruamel.yaml import YAML

from dogwatch.errors import LabError
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.serve import Lab, env_quoted
from dogwatch.lab.simulate import simulate
from support.estates import NOW, faults, shop

PLATFORM = "power_automate"
PATH = "/api/data/v9.2/organizations"


def lab(folder: Path, text: str = "") -> Lab:
    estate = shop(folder)
    struck = faults(text, estate, folder) if text else []
    clock = SimulatedClock(NOW)
    return Lab(simulate(estate, seed=1, start=NOW - timedelta(days=1), end=NOW, clock=clock, faults=struck))


def befallen(folder: Path, text: str) -> Lab:
    return lab(folder, f"- {{at: 2026-03-03T06:00:00Z, on: {PLATFORM}, {text}}}")


async def _ask(transport: httpx2.AsyncBaseTransport, url: str, timeout: float = 5) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=transport, timeout=timeout) as client:
        return await client.get(url)


def ask(found: Lab, host: str = PLATFORM, timeout: float = 5) -> httpx2.Response:
    with asyncio.Runner(loop_factory=LabLoop) as runner:
        return runner.run(_ask(found.transport(), f"http://{host}.lab{PATH}", timeout))


def test_every_platform_answers_on_a_port_of_its_own(tmp_path: Path) -> None:
    found = lab(tmp_path)
    with found.serve() as urls:
        assert urls.keys() == found.twins.keys()
        assert len(set(urls.values())) == len(urls)
        for _ in range(2):
            assert httpx2.get(urls[PLATFORM] + PATH).status_code == 401
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(urls[PLATFORM] + PATH)


def test_served_and_transported_answers_are_the_same(tmp_path: Path) -> None:
    found = lab(tmp_path)
    with found.serve() as urls:
        over_socket = httpx2.get(urls[PLATFORM] + PATH)
    in_process = ask(found)
    assert (over_socket.status_code, over_socket.content) == (in_process.status_code, in_process.content)
    assert over_socket.headers["date"] == in_process.headers["date"] == "Tue, 03 Mar 2026 06:30:00 GMT"


def test_leaving_closes_connections_that_are_still_open(tmp_path: Path) -> None:
    with lab(tmp_path).serve() as urls, httpx2.Client() as client:
        client.get(urls[PLATFORM] + PATH)


def test_a_taken_port_is_the_callers_error(tmp_path: Path) -> None:
    with lab(tmp_path).serve() as urls:
        taken = int(urls[PLATFORM].rpartition(":")[2])
        with pytest.raises(LabError, match=f"port {taken} cannot be used"), lab(tmp_path).serve(taken):
            pass


def test_a_platform_that_refuses_resets_the_connection(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = befallen(tmp_path, "kind: platform_down, status: refuses")
    with found.serve() as urls, pytest.raises(httpx2.TransportError):
        httpx2.get(urls[PLATFORM] + PATH)
    assert capfd.readouterr() == ("", "")


def test_a_platform_that_refuses_cannot_be_connected_to_over_the_transport(tmp_path: Path) -> None:
    with pytest.raises(httpx2.ConnectError):
        ask(befallen(tmp_path, "kind: platform_down, status: refuses"))


def test_an_unknown_host_cannot_be_connected_to(tmp_path: Path) -> None:
    with pytest.raises(httpx2.ConnectError, match="not known"):
        ask(lab(tmp_path), host="example")


def test_a_platform_that_is_down_answers_503(tmp_path: Path) -> None:
    assert ask(befallen(tmp_path, "kind: platform_down")).status_code == 503


def test_a_slow_platform_takes_simulated_time_over_the_transport(tmp_path: Path) -> None:
    found = befallen(tmp_path, "kind: platform_slow, seconds: 4")
    assert ask(found).status_code == 401
    assert found.world.now == NOW + timedelta(seconds=4)


def test_a_platform_slower_than_the_callers_patience_times_out(tmp_path: Path) -> None:
    found = befallen(tmp_path, "kind: platform_slow, seconds: 400")
    with pytest.raises(httpx2.ReadTimeout):
        ask(found, timeout=30)
    assert found.world.now == NOW + timedelta(seconds=30)


def test_a_slow_platform_really_delays_when_served(tmp_path: Path) -> None:
    found = befallen(tmp_path, "kind: platform_slow, seconds: 60")
    with found.serve() as urls, pytest.raises(httpx2.ReadTimeout):
        httpx2.get(urls[PLATFORM] + PATH, timeout=0.05)


def test_the_configuration_names_every_twin_and_keeps_secrets_apart(tmp_path: Path) -> None:
    found = lab(tmp_path)
    path = found.write_config(tmp_path / "conf")
    settings = YAML(typ="safe", pure=True).load(path.read_text())
    assert settings["timezone"] == "Europe/Berlin"
    assert settings["connectors"].keys() == found.twins.keys()
    assert settings["connectors"][PLATFORM]["url"] == f"http://{PLATFORM}.lab"
    secrets = dotenv_values(path.parent / ".env")
    for name, twin in found.twins.items():
        for field, value in twin.credentials().items():
            assert secrets[f"DOGWATCH_{name.upper()}_{field.upper()}"] == value
            assert value not in path.read_text()


def test_a_key_of_several_lines_survives_the_env_file(tmp_path: Path) -> None:
    key = '-----BEGIN KEY-----\nab"c\\n$HOME\n-----END KEY-----\n'
    (tmp_path / ".env").write_text(f"KEY={env_quoted(key)}\n")
    assert dotenv_values(tmp_path / ".env", interpolate=False)["KEY"] == key
    assert "KEY" not in os.environ


def test_platforms_without_a_twin_are_simulated_and_named(tmp_path: Path) -> None:
    found = lab(tmp_path)
    assert set(found.unserved) | found.twins.keys() == found.world.platforms
