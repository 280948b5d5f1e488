"""Cron expressions in words, where these are short."""

import pytest

from cordyna_console.answers.cron_words import in_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("7 * * * *", "hourly at minute 7"),
        ("0 7 * * *", "daily at 07:00"),
        ("0 7 * * 1-5", "Monday to Friday at 07:00"),
        ("30 6 * * 1-6", "Monday to Saturday at 06:30"),
        ("0 6 * * 1", "Monday at 06:00"),
        ("0 6 * * 2,4", "Tuesday, Thursday at 06:00"),
        ("0 6 * * 1,2", "Monday, Tuesday at 06:00"),
        ("0 6 * * 0,6", "Sunday, Saturday at 06:00"),
        ("0 0 31 12 *", "0 0 31 12 *"),
        ("0 8-17 * * *", "0 8-17 * * *"),
        ("1,2,4 * * * *", "1,2,4 * * * *"),
    ],
)
def test_cron_is_in_words_where_these_are_short(text: str, words: str) -> None:
    assert in_words(text) == words
