"""What visitors are told during a maintenance, and until when: for API clients, and as a page for browsers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone

import jinja2

from healthv1.errors import Fault, Refused

DEFAULT_MESSAGE = "The service is under maintenance."
DEFAULT_DURATION = timedelta(minutes=60)
LONGEST_MESSAGE = 500  # characters
LONGEST = timedelta(days=7)
"""A website that is closed for longer was forgotten."""
FORMS = "give a duration (90m, 2h, 1h30m, 1d), a time of day (22:30) or a date with time (2026-03-02T22:30), in UTC"

_DURATION = re.compile(r"(?:(?P<days>\d{1,3})d)?(?:(?P<hours>\d{1,4})h)?(?:(?P<minutes>\d{1,5})m)?")
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})")
_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("healthv1.maintenance", "page"), autoescape=True, undefined=jinja2.StrictUndefined
)


@dataclass(frozen=True)
class Notice:
    until: datetime
    """In UTC, to the second."""
    message: str = DEFAULT_MESSAGE
    """One line of printable characters."""

    @property
    def problem(self) -> str:
        """The problem document (RFC 9457), with `until` as a member of its own."""
        document = {"type": "about:blank", "title": "Service Unavailable", "status": 503}
        # ASCII alone: no reader has to guess, and none takes a line separator for the end of a line.
        return json.dumps({**document, "detail": self.message, "until": self.iso}, separators=(",", ":")) + "\n"

    @property
    def page(self) -> str:
        ends = f"{self.until:%H:%M} UTC on {self.until.day} {self.until:%B %Y}"
        return _pages.get_template("maintenance.html").render(message=self.message, until=self.iso, ends=ends) + "\n"

    @property
    def iso(self) -> str:
        return f"{self.until:%Y-%m-%dT%H:%M:%SZ}"


def notice(message: str, until: str, now: datetime) -> Notice:
    """Return what to tell visitors. Raises `Refused` with every fault at once. An empty text stands for the default.

    + until: a duration, a time of day or a date with time; without a zone in UTC.
    + now: in UTC.
    """
    text = message.strip()
    ends = _parse(until, now) if until else now + DEFAULT_DURATION
    Refused.unless([*_message_faults(text), *_until_faults(until, ends, now)])
    assert ends is not None
    return Notice(ends.replace(microsecond=0), text or DEFAULT_MESSAGE)


def _message_faults(text: str) -> list[Fault]:
    faults = []
    if len(text) > LONGEST_MESSAGE:
        what = f"It has {len(text)} characters, and may have {LONGEST_MESSAGE}."
        faults.append(Fault("--message", what, "say it in fewer words"))
    if not text.isprintable():
        hidden = next(character for character in text if not character.isprintable())
        what = f"It has a character that nobody can see, U+{ord(hidden):04X}."
        faults.append(Fault("--message", what, "write one line of plain text"))
    return faults


def _until_faults(until: str, ends: datetime | None, now: datetime) -> list[Fault]:
    if ends is None:
        return [Fault("--until", f"{until!r} is no time.", FORMS)]
    if ends <= now:
        return [Fault("--until", f"{ends:%Y-%m-%d %H:%M UTC} is over.", f"{FORMS}; now it is {now:%Y-%m-%d %H:%M UTC}")]
    if ends - now > LONGEST:
        what = f"{ends:%Y-%m-%d %H:%M UTC} is more than {LONGEST.days} days ahead."
        return [Fault("--until", what, "give a nearer time, and prolong it then: the same command again")]
    return []


def _parse(text: str, now: datetime) -> datetime | None:
    text = text.strip()
    try:
        if text and (duration := _DURATION.fullmatch(text)):
            return now + timedelta(**{unit: int(number or 0) for unit, number in duration.groupdict().items()})
        if clock := _TIME_OF_DAY.fullmatch(text):
            today = datetime.combine(now.date(), time(int(clock[1]), int(clock[2])), timezone.utc)
            return today if today > now else today + timedelta(days=1)
        if len(text) <= len("2026-03-02"):  # a date alone, or a number
            return None
        # Python 3.10 does not read the Z.
        parsed = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1] in "zZ" else text)
        return parsed.replace(tzinfo=parsed.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
