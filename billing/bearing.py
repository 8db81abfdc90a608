"""Who bears what a channel takes back, and whether we are heard first: terms of a policy, and what follows. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

BEARERS = ("person", "merchant", "platform")
#: The words that channels are known to say. Any other is `OTHERWISE`.
WORDS = ("no_funds", "account_closed", "not_authorised", "not_received", "not_as_agreed", "duplicate")
OTHERWISE = "otherwise"
ANSWER_DAYS_MAX, EXCEPTIONS_MAX = 60, 200


@dataclass(frozen=True, slots=True)
class Bearing:
    """Who bears it if nobody says otherwise, and whether the channel hears us before its word is final."""

    bearer: str
    heard: bool


@dataclass(frozen=True, slots=True)
class OfService:
    """Of this service's orders somebody else bears what is taken back for this reason."""

    service: str
    word: str
    bearer: str


@dataclass(frozen=True, slots=True)
class Terms:
    """By the channel's word; for some services by their own; and within how many days it is answered."""

    words: Mapping[str, Bearing]
    exceptions: tuple[OfService, ...]
    answer_days: int

    @property
    def answer_within(self) -> timedelta:
        return timedelta(days=self.answer_days)

    def of(self, word: str, service: str | None) -> Bearing:
        """What follows from this word about orders of this service; none if they are of several."""
        known = word if word in self.words and word != OTHERWISE else OTHERWISE
        bearing = self.words[known]
        own = next((one for one in self.exceptions if (one.service, one.word) == (service, known)), None)
        return Bearing(own.bearer, bearing.heard) if own else bearing


def read_terms(plain: Mapping[str, Any]) -> Terms:
    """Terms as they are kept."""
    return Terms(
        words={word: Bearing(**said) for word, said in plain["words"].items()},
        exceptions=tuple(OfService(**said) for said in plain["exceptions"]),
        answer_days=plain["answer_days"],
    )


def plain_terms(terms: Terms) -> dict[str, Any]:
    """Terms as they are kept: plain JSON."""
    return {
        "words": {word: asdict(said) for word, said in terms.words.items()},
        "exceptions": [asdict(one) for one in terms.exceptions],
        "answer_days": terms.answer_days,
    }


def wrong_in(terms: Terms) -> Iterator[str]:
    """The names of what cannot be published."""
    for word in (*WORDS, OTHERWISE):
        said = terms.words.get(word)
        if said is None or said.bearer not in BEARERS:
            yield word
    if not 1 <= terms.answer_days <= ANSWER_DAYS_MAX:
        yield "answer_days"
    named = [(one.service, one.word) for one in terms.exceptions]
    known = all(one.word in (*WORDS, OTHERWISE) and one.bearer in BEARERS for one in terms.exceptions)
    if not known or len(set(named)) != len(named) or len(named) > EXCEPTIONS_MAX:
        yield "exceptions"
