"""Configuration: strict, merged in order, every value knows where it came from, no credential is shown."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from livevlm.cli.reference import reference
from livevlm.config import Config, ServerConfig
from livevlm.configfile import Loaded, load_config
from livevlm.errors import ConfigError
from livevlm.layers import Setting, from_flag, from_table, merge
from livevlm.section import Section
from livevlm.watchconfig import StreamConfig

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"


def load(
    text: str,
    tmp_path: Path,
    *,
    environ: dict[str, str] | None = None,
    flags: tuple[Setting, ...] = (),
) -> Loaded:
    """The configuration in a file with this text."""
    file = tmp_path / "my.toml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, environ=environ or {}, flags=flags)


def complaint(text: str, tmp_path: Path, **given: dict[str, str]) -> str:
    """What is said about a file that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        load(text, tmp_path, **given)  # type: ignore[arg-type]
    return caught.value.message


def test_nothing_given_means_the_defaults() -> None:
    """A configuration may be empty."""
    assert load_config(None, environ={}).config == Config()


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.toml")), ids=lambda file: file.name)
def test_every_shipped_configuration_loads(file: Path) -> None:
    """What we ship can be used."""
    load_config(file, environ={})


def test_default_toml_lists_every_setting_with_its_default() -> None:
    """default.toml is complete and true."""
    file = CONFIGS / "default.toml"
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    assert table.pop("version") == 1
    expected = {
        name: field.default.model_dump()
        for name, field in Config.model_fields.items()
        if isinstance(field.default, Section)
    }
    assert table == expected


def test_default_toml_shows_a_stream_with_every_setting() -> None:
    """The commented stream in default.toml is complete and true, but for its url."""
    lines = (CONFIGS / "default.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("# [streams.front]")
    shown = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines[start:]))
    stream = shown["streams"]["front"]
    defaults = {name: field.default for name, field in StreamConfig.model_fields.items()}
    assert stream == defaults | {"url": stream["url"]}
    assert list(stream) == list(defaults)


def test_default_toml_explains_each_line_with_the_setting_s_own_words() -> None:
    """The comments in default.toml are the descriptions in the code."""
    text = (CONFIGS / "default.toml").read_text(encoding="utf-8")
    defaults = [field.default for field in Config.model_fields.values()]
    sections: list[type[Section]] = [type(d) for d in defaults if isinstance(d, Section)]
    sections.append(StreamConfig)
    for section in sections:
        for key, field in section.model_fields.items():
            assert field.description
            assert any(
                line.lstrip("# ").startswith(f"{key} = ")
                and line.endswith(f"# {field.description}")
                for line in text.splitlines()
            ), key


def test_the_reference_page_is_up_to_date() -> None:
    """docs/configuration.md is what `livevlm config docs` prints."""
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference() + "\n", "run: livevlm config docs > docs/configuration.md"


def test_the_first_of_flag_variable_file_default_wins(tmp_path: Path) -> None:
    """Precedence, and each value remembers its origin."""
    found = load(
        "version = 1\n[memory]\nbudget_tokens = 100\npage_tokens = 8\ntop_ratio = 0.1",
        tmp_path,
        environ={"LIVEVLM_MEMORY__BUDGET_TOKENS": "200", "LIVEVLM_MEMORY__PAGE_TOKENS": "4"},
        flags=(from_flag("memory.budget_tokens=300", "--set"),),
    )
    memory = found.config.memory
    assert (memory.budget_tokens, memory.page_tokens, memory.top_ratio) == (300, 4, 0.1)
    assert found.origin(("memory", "budget_tokens")) == "--set"
    assert found.origin(("memory", "page_tokens")) == "environment LIVEVLM_MEMORY__PAGE_TOKENS"
    assert found.origin(("memory", "top_ratio")) == f"file {tmp_path / 'my.toml'}"
    assert found.origin(("memory", "score_queries")) == "default"


def test_an_unknown_key_names_itself_its_file_and_its_neighbour(tmp_path: Path) -> None:
    """A typing error is found at once."""
    message = complaint("version = 1\n[memory]\nbudget_token = 1", tmp_path)
    assert "memory.budget_token" in message
    assert "my.toml" in message
    assert "did you mean budget_tokens?" in message


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("version = 1\n[memroy]\nx = 1", "did you mean memory?"),
        ('version = 1\n[streams.front]\nurl = "a"\nsped = 1', "did you mean speed?"),
        ("version = 1\nzzz = 1", "known: version, server, model"),
    ],
)
def test_unknown_tables_and_stream_keys_are_errors_too(
    text: str, near: str, tmp_path: Path
) -> None:
    """Strictness holds at every depth."""
    assert near in complaint(text, tmp_path)


def test_an_unknown_variable_is_named(tmp_path: Path) -> None:
    """A mistyped variable does not go unnoticed."""
    message = complaint("version = 1", tmp_path, environ={"LIVEVLM_INGEST__FSP": "2"})
    assert "LIVEVLM_INGEST__FSP" in message
    assert "did you mean fps?" in message


def test_variables_of_container_platforms_are_left_alone() -> None:
    """A platform that injects LIVEVLM_PORT for a service of this name does not break the daemon."""
    environ = {"LIVEVLM_PORT": "tcp://10.0.0.1:80", "LIVEVLM_SERVICE_HOST": "10.0.0.1"}
    assert load_config(None, environ=environ).config == Config()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "version is missing"),
        ("version = 2", "version"),
        ("version = 1\n[ingest]\nfps = '1'", "ingest.fps"),
        ("version = 1\n[ingest]\nfps = nan", "ingest.fps"),
        ("version = 1\n[ingest]\nfps = true", "ingest.fps"),
        ("version = 1\n[memory]\nbudget_tokens = 1.5", "memory.budget_tokens"),
        ("version = 1\n[memory]\nshort_term_frames = 3", "memory.short_term_frames"),
        ("version = 1\nmemory = 3", "memory"),
        ("version = 1\n[model]\ndevice = 'gpu'", "model.device"),
        ("version = 1\n[server]\nlisten = '8765'", "expected host:port"),
        ("version = 1\n[server]\nlisten = 'localhost:99999'", "expected host:port"),
        ("version = 1\n[streams.front]", "exactly one of url and url_env"),
        ("version = 1\n[streams.front]\nurl = 'a'\nurl_env = 'B'", "exactly one"),
        ("version = 1\n[streams.front]\nurl = 'a'\nspeed = 'fast'", "streams.front.speed"),
        ("version = 1\n[streams.'front door']\nurl = 'a'", "front door"),
        ("version = \n", "not TOML"),
    ],
)
def test_values_that_cannot_be_are_named(text: str, named: str, tmp_path: Path) -> None:
    """Each complaint names the file and what is wrong in it."""
    message = complaint(text, tmp_path)
    assert named in message
    assert "my.toml" in message


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Nobody has to run it five times to find five errors."""
    message = complaint("version = 1\n[ingest]\nfps = 0\nchunk_frames = 0\n[x]\ny = 1", tmp_path)
    assert len(message.splitlines()) == 3


def test_a_missing_or_unreadable_file_is_a_configuration_error(tmp_path: Path) -> None:
    """No traceback for a wrong path."""
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml", environ={})
    (tmp_path / "latin.toml").write_bytes(b"version = 1 # \xe9")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "latin.toml", environ={})


def test_variables_and_flags_are_converted_to_what_the_setting_is() -> None:
    """Text from outside becomes numbers, booleans and choices."""
    environ = {
        "LIVEVLM_SERVER__ALLOW_INSECURE": "true",
        "LIVEVLM_SERVER__ALLOWED_ORIGINS": "https://a.example, https://b.example",
        "LIVEVLM_INGEST__FPS": "2",
        "LIVEVLM_STREAMS__FRONT__URL": "5",
        "LIVEVLM_STREAMS__FRONT__SPEED": "max",
    }
    flags = (from_flag("streams.side.url=a=b", "--set"), from_flag("streams.side.speed=4", "--set"))
    config = load_config(None, environ=environ, flags=flags).config
    assert config.server.allow_insecure is True
    assert config.server.allowed_origins == ["https://a.example", "https://b.example"]
    assert config.ingest.fps == 2.0
    assert (config.streams["front"].url, config.streams["front"].speed) == ("5", "max")
    assert (config.streams["side"].url, config.streams["side"].speed) == ("a=b", 4.0)


def test_a_variable_finds_a_stream_whatever_the_case_of_its_name(tmp_path: Path) -> None:
    """Variables are upper case, streams need not be."""
    text = "version = 1\n[streams.FrontDoor]\nurl = 'a'"
    found = load(text, tmp_path, environ={"LIVEVLM_STREAMS__FRONTDOOR__FPS": "3"})
    assert found.config.streams["FrontDoor"].fps == 3.0


def test_a_higher_layer_s_url_replaces_the_file_s_url_env(tmp_path: Path) -> None:
    """`--stream front=...` tries another address for a camera that the file names by variable."""
    text = "version = 1\n[streams.front]\nurl_env = 'CAMERA'"
    flag = from_flag("streams.front.url=test:", "--stream")
    stream = load(text, tmp_path, flags=(flag,)).config.streams["front"]
    assert (stream.url, stream.url_env) == ("test:", "")


def test_a_url_comes_from_its_variable() -> None:
    """`url_env` keeps passwords out of files; a variable that is not set is named."""
    stream = StreamConfig(url_env="CAMERA")
    assert stream.address({"CAMERA": "rtsp://u:p@h/x"}) == "rtsp://u:p@h/x"
    with pytest.raises(ConfigError, match="CAMERA is not set"):
        stream.address({})


def test_no_complaint_repeats_a_credential(tmp_path: Path) -> None:
    """What is wrong with a stream is said without its address."""
    text = "version = 1\n[streams.front]\nurl = 'rtsp://u:hunter2@h/x'\nfps = -1\nextra = 1"
    assert "hunter2" not in complaint(text, tmp_path)


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:8765", "127.0.0.1", 8765),
        ("localhost:0", "localhost", 0),
        ("[::1]:80", "::1", 80),
    ],
)
def test_listen_is_host_and_port(listen: str, host: str, port: int) -> None:
    """Both kinds of address are understood."""
    server = ServerConfig(listen=listen)
    assert (server.host, server.port) == (host, port)


def test_the_network_is_opened_only_on_purpose(tmp_path: Path) -> None:
    """Listening beyond this machine needs a token and TLS, or saying that none is wanted."""
    tls = {"tls_cert": "cert.pem", "tls_key": "key.pem"}
    with pytest.raises(ValidationError, match="set token_file and tls_cert and tls_key, or allow"):
        ServerConfig(listen="0.0.0.0:8765")
    with pytest.raises(ValidationError, match="set token_file, or allow"):
        ServerConfig(listen="0.0.0.0:8765", **tls)
    with pytest.raises(ValidationError, match="set tls_cert and tls_key, or allow"):
        ServerConfig(listen="0.0.0.0:8765", token_file="token")
    with pytest.raises(ValidationError, match="both tls_cert and tls_key"):
        ServerConfig(tls_cert="cert.pem")
    assert ServerConfig(listen="0.0.0.0:8765", allow_insecure=True).token() is None
    (tmp_path / "token").write_text("s3cret\n")
    server = ServerConfig(listen="0.0.0.0:8765", token_file=str(tmp_path / "token"), **tls)
    assert server.token() == "s3cret"


def test_a_token_file_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """An empty or missing token file never means an open door."""
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match="empty"):
        ServerConfig(token_file=str(tmp_path / "empty")).token()
    with pytest.raises(ConfigError, match="No such file"):
        ServerConfig(token_file=str(tmp_path / "none")).token()


def test_a_configuration_cannot_be_changed() -> None:
    """What was checked stays as it was checked."""
    config = Config()
    with pytest.raises(ValidationError):
        config.memory.budget_tokens = 1  # type: ignore[misc]


KEYS = st.text("abc", min_size=1, max_size=2)
TABLES = st.recursive(
    st.integers(), lambda values: st.dictionaries(KEYS, values, max_size=3), max_leaves=8
).filter(lambda value: isinstance(value, dict))


@given(TABLES)
def test_flattening_and_merging_gives_the_table_back(table: dict[str, object]) -> None:
    """Layers lose nothing, empty tables included."""
    assert merge([from_table(table, "file")])[0] == table


@given(st.dictionaries(KEYS, st.integers()), st.dictionaries(KEYS, st.integers()))
def test_the_later_layer_wins_key_by_key(low: dict[str, int], high: dict[str, int]) -> None:
    """A layer overrides what it names and leaves the rest."""
    table, winners = merge([from_table(low, "low"), from_table(high, "high")])
    assert table == low | high
    assert {path[0]: won.origin for path, won in winners.items()} == (
        dict.fromkeys(low, "low") | dict.fromkeys(high, "high")
    )
