"""Terms of the dispute policy: who is liable for a disputed deduction, and whether we contest it first. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

BEARERS = ("person", "merchant", "platform")
#: The reason codes that channels are known to send. Any other counts as `ANY_OTHER_CODE`.
REASON_CODES = ("no_funds", "account_closed", "not_authorised", "not_received", "not_as_agreed", "duplicate")
ANY_OTHER_CODE = "otherwise"
ANSWER_DAYS_MAX, EXCEPTIONS_MAX = 60, 200


@dataclass(frozen=True, slots=True)
class Liability:
    """Who bears the amount by default, and whether the channel hears evidence before its decision is final."""

    bearer: str
    heard: bool


@dataclass(frozen=True, slots=True)
class ServiceOverride:
    """For orders of this service somebody else bears what is disputed for this reason code (`word`)."""

    service: str
    word: str
    bearer: str


@dataclass(frozen=True, slots=True)
class DisputeTerms:
    """Liability by the channel's reason code, exceptions for some services, and the days to answer a dispute."""

    by_code: Mapping[str, Liability]
    exceptions: tuple[ServiceOverride, ...]
    answer_days: int

    @property
    def answer_period(self) -> timedelta:
        return timedelta(days=self.answer_days)

    def liability_for(self, code: str, service: str | None) -> Liability:
        """Who is liable for orders of this service under this reason code. `service` is None if there are several."""
        known = code if code in self.by_code and code != ANY_OTHER_CODE else ANY_OTHER_CODE
        liability = self.by_code[known]
        override = next((one for one in self.exceptions if (one.service, one.word) == (service, known)), None)
        return Liability(override.bearer, liability.heard) if override else liability


def parse_terms(stored: Mapping[str, Any]) -> DisputeTerms:
    """The terms from the JSON stored in a policy version."""
    return DisputeTerms(
        by_code={code: Liability(**liability) for code, liability in stored["words"].items()},
        exceptions=tuple(ServiceOverride(**override) for override in stored["exceptions"]),
        answer_days=stored["answer_days"],
    )


def terms_to_json(terms: DisputeTerms) -> dict[str, Any]:
    """The terms as JSON, as a policy version stores them."""
    return {
        "words": {code: asdict(liability) for code, liability in terms.by_code.items()},
        "exceptions": [asdict(override) for override in terms.exceptions],
        "answer_days": terms.answer_days,
    }


def invalid_fields(terms: DisputeTerms) -> Iterator[str]:
    """The names of the fields whose values cannot be published."""
    for code in (*REASON_CODES, ANY_OTHER_CODE):
        liability = terms.by_code.get(code)
        if liability is None or liability.bearer not in BEARERS:
            yield code
    if not 1 <= terms.answer_days <= ANSWER_DAYS_MAX:
        yield "answer_days"
    pairs = [(one.service, one.word) for one in terms.exceptions]
    known = all(one.word in (*REASON_CODES, ANY_OTHER_CODE) and one.bearer in BEARERS for one in terms.exceptions)
    if not known or len(set(pairs)) != len(pairs) or len(pairs) > EXCEPTIONS_MAX:
        yield "exceptions"
