"""Settings: defaults, what a file changes, and errors that name the key."""

from pathlib import Path

import pytest

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.reducers import Entity
from feature_service.settings import Settings, SettingsError, load


def _loaded(folder: Path, text: str) -> Settings:
    path = folder / "settings.toml"
    path.write_text(text)
    return load(path)


def test_the_defaults_hold_by_themselves() -> None:
    settings = load()
    assert settings.scene("").name == settings.service.default_scene == "home"
    assert settings.attributes == ()


def test_a_file_names_only_what_differs(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, "[service]\nmax_k = 7\n[scene]\nrank_limit = 90\n[scenes.home]\ndiversity = 1\n")
    assert settings.service.max_k == 7
    assert settings.service.deadline_ms == load().service.deadline_ms
    assert (settings.scene("home").rank_limit, settings.scene("following").rank_limit) == (90, 90)
    assert settings.scene("home").diversity == 1.0
    assert settings.scene("following").diversity == load().scene("following").diversity


def test_the_channels_of_a_scene_replace_the_default_ones(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, "[scenes.hot.channels]\nhot = 30\n")
    assert settings.scene("hot").channels == {"hot": 30}
    assert len(settings.scene("home").channels) > 1


def test_weights_replace_the_default_ones(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, "[scene.channel_weights]\nhot = 3\n[scenes.home.channel_weights]\nmf = 2\n")
    assert settings.scene("home").channel_weights == {"mf": 2.0}
    assert settings.scene("following").channel_weights == {"hot": 3.0}


def test_attributes_are_declared_by_entity(tmp_path: Path) -> None:
    settings = _loaded(
        tmp_path,
        '[attributes.user]\ncity = {kind = "category"}\n[attributes.room]\ncover = {kind = "vector", width = 8}\n',
    )
    assert settings.attributes == (
        Attribute(Entity.USER, "city", AttributeKind.CATEGORY),
        Attribute(Entity.ROOM, "cover", AttributeKind.VECTOR, 8),
    )


def test_an_unknown_scene_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="scene: expected one of following, home, received 'hoem'"):
        load().scene("hoem")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[servce]\nmax_k = 7", "settings.servce: unknown key"),
        ("[service]\nmaxk = 7", "service.maxk: unknown key"),
        ("[service]\nmax_k = 'seven'", "service.max_k: expected int, received 'seven'"),
        ("[service]\nmax_k = true", "service.max_k: expected int, received True"),
        ("[service]\nmax_k = 1.5", "service.max_k: expected int, received 1.5"),
        ("service = 3", "service: expected a table, received 3"),
        ("scene = 3", "scene: expected a table, received 3"),
        ("scenes = 3", "scenes: expected a table, received 3"),
        ("attributes = 3", "attributes: expected a table, received 3"),
        ("[scene.channels]\nhot = 'many'", "scenes.home.channels.hot: expected int, received 'many'"),
        (
            "[scene.channel_weights]\nhot = -1",
            "scenes.home.channel_weights.hot: expected a number of 0 or more, received -1.0",
        ),
        (
            "[scene.channel_weights]\nhot = nan",
            "scenes.home.channel_weights.hot: expected a number of 0 or more, received nan",
        ),
        (
            "[scenes.home.channel_weights]\nhot = inf",
            "scenes.home.channel_weights.hot: expected a number of 0 or more, received inf",
        ),
        ("[scenes.home]\nrank_limits = 3", "scenes.home.rank_limits: unknown key"),
        ("[scenes.home]\nfilters = 'live'", "scenes.home.filters: expected a list of names, received 'live'"),
        ("[scenes.home]\nfilters = [1]", "scenes.home.filters: expected a list of names, received [1]"),
        ("[scenes]\nhome = 3", "scenes.home: expected a table, received 3"),
        ("[scenes.home.fusion]\nenter = 'much'", "scenes.home.fusion.enter: expected float, received 'much'"),
        ("[service]\ndefault_scene = 'none'", "scene: expected one of following, home, received 'none'"),
        ("[attributes.viewer]\n", "attributes.viewer: unknown key; expected one of room, streamer, user"),
        (
            "[attributes.user.city]\nkind = 'text'",
            "attributes.user.city.kind: expected one of category, number, vector",
        ),
        (
            "[attributes.user.city]\nknd = 'number'",
            "attributes.user.city.knd: unknown key; expected one of kind, width",
        ),
        (
            "[attributes.user.city]\nkind = 'number'\nwidth = 2",
            "attributes.user.city.width: expected a whole number above 0 (1 unless a vector), received 2",
        ),
        ("max_k = = 7", "settings.toml: expected TOML"),
        ("[scenes.home.fusion]\nenter = -1", "scenes.home.fusion.enter: expected 0 to 1000, received -1.0"),
        (
            "[scenes.home.fusion]\nnot_interested = 2",
            "scenes.home.fusion.not_interested: expected -1000 to 0, received 2.0",
        ),
        ("[scene]\nexplore_rate = 1", "scenes.home.explore_rate: expected 0 to below 1, received 1.0"),
        ("[scene]\nexplore_places = [4, 2]", "scenes.home.explore_places: expected ascending places from 0"),
        ("[scene]\nexplore_places = 4", "scenes.home.explore_places: expected a list of places, received 4"),
        ("[scene]\nrerank = ['explore', 'mmr']", "scenes.home.rerank: expected explore to be the last"),
        ("[arms.a]\nshare = 0", "arms: expected shares above 0 that add up to at most 1, received a 0"),
        ("[arms.a]\nshare = 0.6\n[arms.b]\nshare = 0.6", "arms: expected shares above 0 that add up to at most 1"),
        ("[arms.a]\nfusion = {}", "arms.a.fusion: unknown key; expected one of scene, scenes, share"),
        ("[arms.a]\nshare = 0.1\n[arms.a.scenes.hoem]\n", "arms.a.scenes.hoem: unknown key"),
        ("[arms.a]\nshare = 0.1\n[arms.a.scene.fusion]\nenter = -1", "arms.a.scenes.home.fusion.enter: expected 0"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        _loaded(tmp_path, text)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


ARMS = """
[arms.gifts]
share = 0.25
[arms.gifts.scene.fusion]
gift = 6
[arms.plain]
share = 0.5
[arms.plain.scenes.home]
rerank = []
"""


def test_an_arm_has_other_settings_for_its_share_of_the_users(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, ARMS)
    users = [settings.scene("", f"user-{number}") for number in range(4_000)]
    # Of 4,000 users a quarter is 1,000 with a standard deviation of 27.
    for arm, expected in (("gifts", 1_000), ("plain", 2_000), ("", 1_000)):
        assert abs(sum(scene.arm == arm for scene in users) - expected) < 150
    by_arm = {scene.arm: scene for scene in users}
    assert by_arm["gifts"].fusion == {"gift": 6.0}
    assert by_arm["gifts"].rerank == by_arm[""].rerank != ()
    assert by_arm["plain"].rerank == ()
    assert by_arm["plain"].fusion == by_arm[""].fusion


def test_a_user_stays_in_one_arm_whatever_the_scene(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, ARMS)
    for number in range(50):
        user = f"user-{number}"
        assert settings.scene("following", user).arm == settings.scene("home", user).arm
    assert {scene.arm for scene in settings.all_scenes} == {"", "gifts", "plain"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: expected a readable settings file: No such file"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'address = "http://h:1"',
            "store.address: expected redis://…, rediss://…, unix://… or nothing, received 'http'",
        ),
        ('address = "h:6379"', "store.address: expected redis://…, rediss://…, unix://… or nothing, received an addr"),
        ('prefix = ""', r"store.prefix: expected letters, digits, -, _ and ., received ''"),
        ('prefix = "on:air"', r"store.prefix: expected letters, digits, -, _ and ., received 'on:air'"),
        ("checkpoint_s = 0", "store.checkpoint_s: expected more than 0, received 0.0"),
        ("user_days = -1", "store.user_days: expected 0 to 36500, received -1.0"),
        ("user_days = nan", "store.user_days: expected 0 to 36500, received nan"),
    ],
)
def test_a_store_that_cannot_be_is_refused_by_its_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        _loaded(tmp_path, f"[store]\n{text}\n")
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[log]\naddress = "h:9092/t"',
            "log.address: expected kafka://host:port/topic or nothing, received an address",
        ),
        (
            '[log]\naddress = "kafka://h/t"',
            "log.address: expected kafka://host:port/topic or nothing, received 'kafka'",
        ),
        ('[log]\naddress = "kafka://h:1/t?x=1"', "log.address: expected kafka://host:port/topic or nothing"),
        (
            '[log]\naddress = "kafka://a:1,b:2/t"\n[retention]\nlog_days = 7',
            "retention.log_days: expected 0, as a topic has its own retention.ms, received 7.0",
        ),
    ],
)
def test_a_log_that_cannot_be_is_refused_by_its_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        _loaded(tmp_path, f"{text}\n")
    assert said in str(refusal.value)


@pytest.mark.parametrize("table", ["store", "log"])
def test_a_refused_address_shows_no_password(tmp_path: Path, table: str) -> None:
    for address in ("http://user:oyster@h", "user:oyster@h", "kafka+x://user:oyster@h:1/t"):
        with pytest.raises(SettingsError) as refusal:
            _loaded(tmp_path, f'[{table}]\naddress = "{address}"\n')
        assert "oyster" not in str(refusal.value)
