"""Texts of others are made harmless before they are shown."""

from __future__ import annotations

import logging

import pytest

from taipan.clean_text import clean, escape_line, hide_credentials, strip_credentials
from taipan.config.fields import format_value
from taipan.errors import TaipanError
from taipan.scripting import configure_logging


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at https://me:pw@host.org/a?b=1: gone", "at https://***@host.org/a?b=1: gone"),
        ("root://me@host//a, root://x:y@h//b", "root://***@host//a, root://***@h//b"),
        ("https://me:p@w:d@host/a@b", "https://***@host/a@b"),
        ("HTTPS://u:p@h", "HTTPS://***@h"),
        ("https://h/a?authz=Bearer%20x&n=2", "https://h/a?authz=***&n=2"),
        ("h?X-Amz-Signature=ab12&X-Amz-Credential=k", "h?X-Amz-Signature=***&X-Amz-Credential=***"),
        ("https://host/a@b mail me@host.org", "https://host/a@b mail me@host.org"),
        ("mass > 3 and key=4", "mass > 3 and key=4"),
        ("https://h:80/a@b, me@host.org", "https://h:80/a@b, me@host.org"),
        ('["https://h:1094","a@b"]', '["https://h:1094","a@b"]'),
        ("[https://[::1]:80/a@b]", "[https://[::1]:80/a@b]"),
    ],
)
def test_credentials_of_urls_are_hidden(text: str, expected: str) -> None:
    assert hide_credentials(text) == expected
    assert hide_credentials(expected) == expected


@pytest.mark.parametrize(
    "password",
    [
        "s3/cr", "s3#cr", "s3?cr", "s3'cr", 's3"cr', "s3 cr", "s3<cr>|a", "/s3cr", "12s3cr/a",
        "s3'c@r", "s3\\cr",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["https://", "root:///", "https:/", "https:\\\\"])
def test_password_with_characters_that_a_url_does_not_have_is_hidden(
    password: str, scheme: str
) -> None:
    """To a parser such a URL has another host, or none; to its writer it has a password."""
    text = f"cannot read {scheme}me:{password}@host.org/a b, nor https://host.org:80/a@b"
    hidden = f"cannot read {scheme}***@host.org/a b, nor https://host.org:80/a@b"
    assert hide_credentials(text) == hidden
    assert hide_credentials(hidden) == hidden
    url = f"{scheme}me:{password}@host.org/a"
    assert "s3" not in strip_credentials(url)
    assert strip_credentials(url).endswith("host.org/a")


@pytest.mark.parametrize(
    "name", ["pass", "pwd", "jwt", "code", "session", "authorization", "bearer", "access_key"]
)
def test_secrets_of_a_query_are_hidden_by_their_names(name: str) -> None:
    assert hide_credentials(f"https://h/a?n=1&{name}=s3") == f"https://h/a?n=1&{name}=***"
    assert hide_credentials(f"https://h/a#{name}=s3") == f"https://h/a#{name}=***"


def test_credentials_are_hidden_without_their_url() -> None:
    text = "[FATAL] s3cr@t of alice refused; alice:s3cr%40t"
    hidden = hide_credentials(text, "root://alice:s3cr%40t@host//f")
    assert "s3cr" not in hidden


def test_url_without_its_credentials() -> None:
    assert strip_credentials("https://a:b@h:1/x?n=1#f") == "https://h:1/x?n=1#f"
    assert strip_credentials("root://a@h//x@y") == "root://h//x@y"
    assert strip_credentials("http://a:b@[/x") == "http://[/x"
    assert strip_credentials("f.root?token=1") == "f.root?token=***"


def test_control_characters_are_written_out() -> None:
    r"""ESC ]0; sets the title of a terminal; U+202E reverses what follows; \r hides a line."""
    assert clean("a\x1b]0;x\x07b\r\u202ec\x9b1m\x00") == r"a\x1b]0;x\x07b\r\u202ec\x9b1m\x00"
    assert clean("two\nlines\tand a tab, Σ µ → ℓ") == "two\nlines\tand a tab, Σ µ → ℓ"
    assert escape_line("two\nlines\t") == r"two\nlines\t"
    assert format_value("a\n\x1b") == r"'a\n\x1b'"


def test_errors_and_log_lines_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    error = TaipanError("samples.\x1b[31m: https://a:b@h/")
    assert str(error) == r"samples.\x1b[31m: https://***@h/"
    logger = logging.getLogger("taipan")
    before = logger.handlers, logger.level, logger.propagate
    try:
        configure_logging()
        logger.warning("%s \x1b[2J", "https://a:b@h/")
    finally:
        logger.handlers, logger.level, logger.propagate = before
    assert capsys.readouterr().err.endswith("taipan: https://***@h/ \\x1b[2J\n")
