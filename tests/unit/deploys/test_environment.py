"""The API's variables: refused early when wrong, and read back exactly as they were meant."""

import importlib.util
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deploys.component import Secret
from deploys.environment.checks import checks
from deploys.environment.passwords import _fault, refuse_weak
from deploys.environment.settings import Environment
from deploys.environment.variables import _url, env_file, owner_variables, refuse_placeholders, variables
from deploys.faults import Refused
from deploys.secret import Version
from deploys.stack import Stack, Topology
from tests.unit.known import AWKWARD, Known, value

ORIGINS = ("https://app.example.com", "https://admin.example.com")
HERE = Topology.seen_from("10.0.0.1", {"database": ["10.0.0.1"], "api": ["10.0.0.1"]})
APART = Topology.seen_from("10.0.0.2", {"database": ["10.0.0.1"], "api": ["10.0.0.2"]})
# The guide's own, without the two ports, which are each instance's.
GUIDE = """RUST_LOG ENVIRONMENT DATABASE_URL DATABASE_MAX_CONNECTIONS DATABASE_MIN_CONNECTIONS JWT_SECRET
    JWT_EXPIRATION_HOURS REFRESH_TOKEN_EXPIRATION_DAYS CORS_ALLOWED_ORIGINS SESSION_SECRET SESSION_TIMEOUT_MINUTES
    MASTER_KEY DEK_ROTATION_DAYS SMTP_HOST SMTP_PORT SMTP_USERNAME SMTP_PASSWORD SMTP_FROM SENTRY_DSN
    ENABLE_PACS_INTEGRATION ENABLE_HL7_INTEGRATION ENABLE_FHIR_API""".split()  # noqa: SIM905 - a list of them is read in lines

READER = Path(__file__).parents[3] / "healthv1_api/src/healthv1_api/settings/envfile.py"


def _environment(**changed):
    return Environment(cors_allowed_origins=ORIGINS, **changed).bind(Known())


STACK = Stack(domain="api.example.com").bind(Known())


def _read_by_sh(text, path):
    """Return what a POSIX shell that sources `text` then has in its variables."""
    path.write_text(text, encoding="utf-8", newline="")
    names = [line.partition("=")[0] for line in text.split("\n") if line]
    script = '. "$1"; shift; for name; do eval "printf \'%s\\0\' \\"\\$$name\\""; done'
    done = subprocess.run(["sh", "-euc", script, "sh", path, *names], capture_output=True, check=True)
    assert done.stderr == b""
    return dict(zip(names, done.stdout.decode().split("\0")[:-1], strict=True))


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"))


def _read_by_the_api(text):
    """The API reads the file itself, so that its environment holds no secret. Its package is not installed here."""
    spec = importlib.util.spec_from_file_location("envfile", READER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.variables(text))


@given(st.lists(st.one_of(VALUES, st.text(AWKWARD + "ab")), max_size=20))
@example(["", " ", "'", '"', "\\", "$HOME", "`id`", "'\"", "'\\", "'$", "'`", "a'\u2028", AWKWARD])
def test_the_api_reads_every_value_as_it_was_meant(values):
    named = {f"V{i}": value for i, value in enumerate(values)}
    assert _read_by_the_api(env_file(named)) == named


@given(st.lists(st.one_of(VALUES, st.text(AWKWARD + "ab")), max_size=20))
@example(["", " ", "'", '"', "\\", "$HOME", "`id`", "$(id)", "a'b\"c\\d$e`f", "~", "#", "\\'", "''", AWKWARD])
def test_a_shell_reads_every_value_as_it_was_meant(tmp_path_factory, values):
    named = {f"V{i}": value for i, value in enumerate(values)}
    assert _read_by_sh(env_file(named), tmp_path_factory.mktemp("env") / "file") == named


@pytest.mark.parametrize("value", ["two\nlines", "ends\n", "carriage\rreturn", "nul\0"])
def test_a_value_of_more_than_one_line_is_refused_by_name_and_not_shown(value):
    with pytest.raises(Refused, match="SMTP_PASSWORD: Its value has more than one line") as refusal:
        env_file({"SMTP_PASSWORD": value})
    assert value not in str(refusal.value)


def test_what_the_api_takes_for_a_variable_is_refused_by_name_and_not_shown():
    plain = {"DATABASE_URL": "postgresql://a:%24%7Bx@h/d", "JWT_SECRET": "a$b{c"}
    assert refuse_placeholders(plain) == plain
    with pytest.raises(Refused, match=r"JWT_SECRET: Its value has \$\{ in it") as refusal:
        refuse_placeholders({"JWT_SECRET": "planted${HOME}"})
    assert "planted" not in str(refusal.value)


def test_every_variable_of_the_guide_is_there():
    found = variables(_environment(), STACK, HERE)
    assert set(GUIDE) <= set(found)
    assert set(found) - set(GUIDE) == {"REDIS_URL"}


def test_while_a_secret_is_rotated_the_other_version_is_accepted_too():
    rotating = Known((3, 2))
    settings = Environment(cors_allowed_origins=ORIGINS).bind(rotating)
    found = variables(settings, Stack(domain="api.example.com").bind(rotating), HERE)
    for name, key in (("JWT_SECRET", "jwt_secret"), ("SESSION_SECRET", "session_secret"), ("MASTER_KEY", "master_key")):
        assert (found[name], found[f"{name}_ALSO_ACCEPTED"]) == (value(key, 3), value(key, 2))
    assert urlsplit(found["DATABASE_URL"]).username == "health_user_a"
    assert not [name for name in variables(_environment(), STACK, HERE) if name.endswith("_ALSO_ACCEPTED")]


@given(VALUES.filter(bool))
@example(" " + "".join(map(chr, range(33, 127))) + " ")
def test_urls_give_back_any_password(password):
    url = _url("postgresql", "health_user_a", password, "127.0.0.1", 6432)
    assert url.isascii()
    assert unquote(urlsplit(url).password) == password


def test_the_guides_values_are_the_defaults():
    found = variables(_environment(), STACK, HERE)
    assert found["JWT_EXPIRATION_HOURS"] == "24"
    assert found["CORS_ALLOWED_ORIGINS"] == "https://app.example.com,https://admin.example.com"
    assert found["SMTP_PORT"] == "587"
    assert (found["ENABLE_PACS_INTEGRATION"], found["ENABLE_FHIR_API"]) == ("true", "false")


@pytest.mark.parametrize("topology", [HERE, APART], ids=["one host", "two hosts"])
def test_urls_lead_where_they_should_and_keep_awkward_passwords(topology):
    found = {**variables(_environment(), STACK, topology), **owner_variables(STACK, topology)}
    for name, user, address, port, path in (
        ("DATABASE_URL", "health_user_a", "127.0.0.1", 6432, "/health_v1_prod"),
        ("MIGRATION_DATABASE_URL", "health_owner", topology.database, 5432, "/health_v1_prod"),
        ("REDIS_URL", "", topology.database, 6379, "/0"),
    ):
        url = urlsplit(found[name])
        assert (url.username, url.hostname, url.port, url.path) == (user, address, port, path)
        assert unquote(url.password).endswith(AWKWARD)


def test_the_owner_speaks_tls_to_another_host():
    assert "sslmode" not in owner_variables(STACK, HERE)["MIGRATION_DATABASE_URL"]
    assert owner_variables(STACK, APART)["MIGRATION_DATABASE_URL"].endswith("?sslmode=require")


def test_the_api_is_not_told_what_is_its_owners():
    told = variables(_environment(), STACK, HERE)
    assert not set(owner_variables(STACK, HERE)) & set(told)
    for secret in ("database_owner_password", "admin_password", "verification_password"):
        assert not any(secret in value for value in told.values())


def test_the_first_admins_password_is_in_no_file():
    told = owner_variables(STACK, HERE)
    assert told["VERIFICATION_PASSWORD"] == value("verification_password")
    assert value("admin_password") not in {*told.values(), *variables(_environment(), STACK, HERE).values()}


COMMON = "1qaz2wsx3edc4rfv"


class Weak(Known):
    def versions(self, secret):
        values = {"admin_password": COMMON, "verification_password": "Verification"}
        return (Version(1, values[secret.key]),)


def test_every_weak_password_that_the_api_would_be_seeded_with_is_refused_by_name_and_not_shown():
    with pytest.raises(Refused) as refusal:
        refuse_weak(STACK.bind(Weak()))
    admin, verification = refusal.value.faults
    assert (admin.where, admin.what) == (
        "vault:m/p#admin_password",
        "As a password it is among the 10,000 most common.",
    )
    assert admin.hint == "healthv1 secrets set ENV admin_password"
    assert verification.what == "As a password it is the name of its user."
    assert COMMON not in str(refusal.value)
    refuse_weak(STACK)


@pytest.mark.parametrize(
    ("password", "what"),
    [("elevencharx", "fewer than 12"), (COMMON.upper(), "most common"), ("twelve-chars", None), ("x" * 200, None)],
)
def test_a_password_is_what_the_api_lets_people_choose(password, what):
    found = _fault(password, "admin")
    assert (what in found) if what else found is None


def test_figures_of_the_bundled_api_are_told_where_they_are_set():
    assert not [name for name in variables(_environment(), STACK, HERE) if name.startswith("LOGIN_")]
    told = variables(_environment(login_delay_max_seconds=30, login_failures_without_delay=3), STACK, HERE)
    assert (told["LOGIN_DELAY_MAX_SECONDS"], told["LOGIN_FAILURES_WITHOUT_DELAY"]) == ("30", "3")
    assert "LOGIN_FAILURES_REMEMBERED_MINUTES" not in told


def test_optional_secrets_are_asked_for_only_when_they_are_set():
    bare = _environment()
    assert {secret.key for secret in bare.secrets()} == {"jwt_secret", "session_secret", "master_key"}
    full = _environment(smtp_username="u", smtp_password=Secret("smtp"), sentry_dsn=Secret("dsn"))
    found = variables(full, STACK, HERE)
    assert found["SMTP_PASSWORD"] == value("smtp")
    assert found["SENTRY_DSN"] == value("dsn")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"log_level": "warning"}, "log_level"),
        ({"database_min_connections": 21}, "more than database_max_connections"),
        ({"smtp_password": Secret("smtp")}, "needs smtp_username"),
        ({"smtp_from": "nobody"}, "smtp_from"),
        ({"smtp_port": 0}, "smtp_port"),
        ({"jwt_expiration_hours": 0}, "jwt_expiration_hours"),
        ({"login_delay_max_seconds": 61}, "login_delay_max_seconds"),
        ({"jwt_secret": "in clear"}, "jwt_secret"),
        ({"smtp_pasword": "x"}, "did you mean smtp_password"),
    ],
)
def test_a_wrong_value_is_refused_by_name(changed, words):
    with pytest.raises(Refused, match=words) as refusal:
        _environment(**changed)
    assert "in clear" not in str(refusal.value)


@pytest.mark.parametrize("origin", ["*", "http://a.example.com", "https://a.example.com/", "https://a b", "null"])
def test_an_origin_is_https_without_a_path(origin):
    with pytest.raises(Refused, match="give an origin like"):
        Environment(cors_allowed_origins=(origin,))


def test_the_environments_name_is_one_that_the_api_knows():
    with pytest.raises(Refused, match="environment"):
        Stack(domain="api.example.com", environment="prod")


@pytest.fixture
def held(tmp_path):
    """Return a function that tries the claims that need no account of their own on a written file."""
    stack = Stack(domain="api.example.com").model_copy(update={"home": str(tmp_path)})

    def tried(text):
        (tmp_path / ".env").write_text(text)
        found = {check.claim: check.command for check in checks(stack)}
        commands = [command for claim, command in found.items() if "line of" in claim or "master key" in claim]
        return [subprocess.run(["sh", "-c", one], capture_output=True, check=False).returncode == 0 for one in commands]

    return tried


def test_the_claims_hold_of_a_good_file_and_fail_of_a_bad_one(held):
    good = env_file({"A": "x y", "MASTER_KEY": "A" * 43 + "="})
    assert held(good) == [True, True]
    assert held(good + "MASTER_KEY_ALSO_ACCEPTED=" + "B" * 43 + "=\n") == [True, True]
    assert held(good + "MASTER_KEY_ALSO_ACCEPTED=AAAA\n") == [True, False]
    assert held(good + "A=again\n") == [False, True]
    assert held("MASTER_KEY=AAAA\nhalf a key\n") == [False, False]
    assert held("A=1\n") == [True, False]
