"""The texts of notices by stage and language: staff publish versions, and the latest one is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import notice_rules
from accounts.models import NoticeTemplate
from accounts.models.notices import LANGUAGES
from accounts.notice_rules import Phrase, Value
from accounts.refusals import TemplateChanged
from kernel.actor import Actor
from kernel.money import Money
from kernel.policy_versions import reason_errors
from kernel.prepared_statements import PreparedQuery
from kernel.refusal import FieldError, Invalid


@dataclass(frozen=True, slots=True)
class NoticeText:
    """The subject and body of a notice."""

    subject: str
    body: str


_LATEST_TEXTS = PreparedQuery(
    lambda stages: (
        NoticeTemplate.objects.filter(key__any=stages)
        .order_by("key", "language", "-version")
        .distinct("key", "language")
        .values_list("key", "language", "subject", "body")
    ),
    ["text[]"],
)


def publish_template(
    key: str, language: str, text: NoticeText, reason: str, *, after: int | None = None, by: Actor, at: datetime
) -> NoticeTemplate:
    """Publish a new version of the text of a stage; existing notices keep theirs.

    `after` is the version that the author had read, if any.

    Raises:
        Invalid: the stage or language is unknown, or a text or the reason is empty, too long or has bad placeholders.
        TemplateChanged: another version was published meanwhile.
    """
    _validate(key, language, text)
    if errors := reason_errors(reason):
        raise Invalid(errors=errors)
    last = NoticeTemplate.objects.filter(key=key, language=language).aggregate(last=Max("version"))["last"] or 0
    if after is not None and after != last:
        raise TemplateChanged
    columns = {"key": key, "language": language, "version": last + 1, "reason": reason.strip()}
    try:
        with transaction.atomic():
            return NoticeTemplate.objects.create(**columns, subject=text.subject, body=text.body, by=str(by), at=at)
    except IntegrityError:
        raise TemplateChanged from None


def latest_templates() -> dict[tuple[str, str], NoticeTemplate]:
    """The templates in use, by stage and language."""
    rows = NoticeTemplate.objects.order_by("key", "language", "-version").distinct("key", "language")
    return {(row.key, row.language): row for row in rows}


def preview_template(key: str, language: str, text: NoticeText, *, at: datetime) -> NoticeText:
    """The text filled with example values.

    Raises:
        Invalid: see `publish_template`.
    """
    _validate(key, language, text)
    values: dict[str, Value] = {
        "merchant": Phrase({"zh-hans": "来电充电宝", "en": "Power Bank & Co"}),
        "what": Phrase({"zh-hans": "充电宝 PB-7", "en": "Power bank PB-7"}),
        "amount": Money(1234),
        "before": Money(500_00),
        "when": at,
        "link": "https://example.com/orders/ord_0",
        "instrument": Phrase({"zh-hans": "招商银行 ****1234", "en": "Merchants Bank ****1234"}),
        "plan": Phrase(
            {
                "zh-hans": "将于 {when} 从 招商银行 ****1234 自动扣款",
                "en": "will be deducted from Merchants Bank ****1234 on {when}",
            },
            {"when": at},
        ),
        "reason": Phrase({"zh-hans": "余额不足", "en": "insufficient funds"}),
        "how": Phrase({"zh-hans": "已原路退回。", "en": "It was refunded to the original payment method."}),
        "next": Phrase({"zh-hans": "将于 {when} 再次扣款。", "en": "We will try again on {when}."}, {"when": at}),
    }
    return fill_text(text, values, language=language, zone="Asia/Shanghai")


def _validate(key: str, language: str, words: NoticeText) -> None:
    if key not in notice_rules.PLACEHOLDERS:
        raise Invalid(
            errors=[
                FieldError("/key", format_lazy(_("one of {choices}"), choices=", ".join(notice_rules.PLACEHOLDERS)))
            ]
        )
    if language not in dict(LANGUAGES):
        raise Invalid(
            errors=[FieldError("/language", format_lazy(_("one of {choices}"), choices=", ".join(dict(LANGUAGES))))]
        )
    errors = []
    for name, text, most in (
        ("subject", words.subject, notice_rules.SUBJECT_MAX),
        ("body", words.body, notice_rules.BODY_MAX),
    ):
        if not 0 < len(text.strip()) <= most:
            errors.append(FieldError(f"/{name}", format_lazy(_("1 to {most} characters."), most=most)))
        message = _("“{slot}” is not an available placeholder.")
        errors += [
            FieldError(f"/{name}", format_lazy(message, slot=bad))
            for bad in notice_rules.unknown_placeholders(key, text)
        ]
    if not words.subject.isprintable():
        errors.append(FieldError("/subject", _("One line of printable characters.")))
    if not words.body.replace("\n", "").isprintable():
        errors.append(FieldError("/body", _("Printable characters and line feeds.")))
    if errors:
        raise Invalid(errors=errors)


def latest_texts(stages: set[str]) -> dict[tuple[str, str], NoticeText]:
    """The latest text of each of these stages, by stage and language."""
    return {
        (key, language): NoticeText(subject, body) for key, language, subject, body in _LATEST_TEXTS.rows(list(stages))
    }


def fill_text(text: NoticeText, values: Mapping[str, Value], *, language: str, zone: str) -> NoticeText:
    subject = notice_rules.fill_placeholders(text.subject, values, language=language, zone=zone)
    return NoticeText(
        subject[: notice_rules.SUBJECT_MAX * 2],
        notice_rules.fill_placeholders(text.body, values, language=language, zone=zone),
    )
