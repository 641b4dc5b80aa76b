"""Every bad configuration gives one line that names file, key, value and remedy."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from runtime.faults import ConfigFault
from runtime.settings import Settings, load


class Broker(Settings):
    host: str
    port: int = Field(default=8883, ge=1, le=65535)
    password: str = ""


class Source(Settings):
    name: str
    baud: int = 9600


class Config(Settings):
    fleet: str = Field(pattern="^[a-z0-9-]{1,31}$")
    broker: Broker
    state: Path = Path("state")
    extra_keys: tuple[Path, ...] = ()
    sources: tuple[Source, ...] = ()
    ratio: float = 1.0


GOOD = """
fleet = "zhangzhou"
[broker]
host = "127.0.0.1"
"""


def _write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "agent.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def _fault(path: Path) -> str:
    with pytest.raises(ConfigFault) as caught:
        load(path, Config)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert caught.value.exit_code == 78
    return text


def test_good_file(tmp_path: Path) -> None:
    config = load(_write(tmp_path, GOOD), Config)
    assert (config.fleet, config.broker.port) == ("zhangzhou", 8883)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_bom_and_crlf_are_tolerated(tmp_path: Path, mark: bytes) -> None:
    content = mark + GOOD.replace("\n", "\r\n").encode()
    assert load(_write(tmp_path, content), Config).broker.host == "127.0.0.1"


def test_paths_are_taken_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, 'extra_keys = ["a.pem", "/b.pem"]\n' + GOOD)
    monkeypatch.chdir(tmp_path)
    config = load(Path("agent.toml"), Config)
    assert config.state == tmp_path / "state"
    assert config.extra_keys == (tmp_path / "a.pem", Path("/b.pem"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('fleet = "z"', ["broker", "is missing", "add broker = …"]),
        (GOOD.replace("host", "hots"), ["broker.hots", "mean host?", "1 more: broker.host"]),
        (GOOD + "prot = 1", ["broker.prot", "is no known key", "did you mean port?"]),
        ("zzzz = 1\n" + GOOD, ["zzzz", "known here: broker, extra_keys, fleet"]),
        (GOOD + "port = 0", ["broker.port", "should be greater than or equal to 1", "(0)"]),
        (GOOD + "port = 65536", ["broker.port", "less than or equal to 65535", "(65536)"]),
        (GOOD + 'port = "fast"', ["broker.port", "('fast')"]),
        (GOOD.replace("zhangzhou", "Zhang"), ["fleet", "pattern", "('Zhang')"]),
        ("ratio = nan\n" + GOOD, ["ratio", "finite number", "(nan)"]),
        ("fleet = @", ["is not TOML", "line 1"]),
        ("fleet = 1\nfleet = 2", ["is not TOML"]),
        ("a = \x00", ["is not TOML"]),
        (b"\xff\xfef\x00", ["is not UTF-8", "byte 0"]),
        ("a=" + "[" * 100_000, ["nested too deep"]),
        (GOOD + "password = 7", ["broker.password", "(not shown)"]),
        (GOOD + '[[sources]]\nname = "a"\nbuad = 1', ["sources.0.buad", "did you mean baud?"]),
    ],
)
def test_bad_file_is_one_line_with_place_and_remedy(
    tmp_path: Path, text: str | bytes, parts: list[str]
) -> None:
    fault = _fault(_write(tmp_path, text))
    for part in parts:
        assert part in fault


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    config = load(_write(tmp_path, GOOD), Config)
    with pytest.raises(ValueError, match="frozen"):
        config.fleet = "other"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    key=st.sampled_from(["fleet", "broker", "state", "extra_keys", "sources", "ratio", "x"]),
    value=_VALUES,
)
def test_any_value_under_any_key_is_taken_or_refused_in_one_line(key: str, value: object) -> None:
    from pydantic import ValidationError

    from runtime.settings import _first_fault

    table = {"fleet": "z", "broker": {"host": "h"}} | {key: value}
    try:
        Config.model_validate(table, context={"folder": Path("/etc")})
    except ValidationError as cause:
        text = str(_first_fault(Path("/etc/a.toml"), Config, cause))
        assert text.startswith("/etc/a.toml: ")
        assert text.isprintable()


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    fault = _fault(_write(tmp_path, content))
    assert fault.isprintable()
