"""The readable summary and README of a copy of personal data."""

from collections.abc import Mapping
from datetime import datetime

from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from accounts.models import Person
from credit.models import Profile
from credit.queries import currency_limits_of
from kernel.documents import Document, FieldList, Table, Text
from kernel.templatetags.formatting import minor_amount, moment
from orders.models import Order

#: How many of the latest orders the summary lists; the files contain all.
ORDERS_MAX = 300
README = """先享后付 · 我的数据副本
Use now, pay later · a copy of my data

summary.pdf 供阅读。index.json 列出每个文件及其行数。
每个 .json 文件是一张表，每行一条记录；金额为最小货币单位的整数（分），时间为 UTC。
其中不含密码、登录密钥与扣款令牌，也不含工作人员的身份信息。

summary.pdf is a readable summary. index.json lists each file and its number of rows.
Each .json file is one table with one record per line. Amounts are integers in minor units (cents), times are UTC.
Passwords, sign-in keys, payment tokens and the identities of our staff are not included.
"""


def _credit_rows(person: Person) -> list[tuple[str, str]]:
    profile = Profile.objects.filter(person=person).first()
    if profile is None:
        return []
    rows = [(_("Your score"), str(profile.score))]
    for row in (profile, *currency_limits_of(person.id)):
        rows.append((_("Your credit limit"), minor_amount(row.limit_minor, row.currency)))
        rows.append((_("Amount due"), minor_amount(row.outstanding_minor, row.currency)))
    return rows


def build_summary(person: Person, counts: Mapping[str, int], *, at: datetime) -> Document:
    """The person's details, latest orders, and the contents of the files, in the active language and time zone."""
    details = [
        (_("Verified identity"), person.reveal_name() or _("not verified")),
        (_("Phone number"), (person.user.reveal_phone() if person.user else None) or "—"),
        (_("Your user ID"), person.public_id),
        (_("Member since"), _format_time(person.created_at)),
    ]
    details += _credit_rows(person)
    latest = Order.objects.filter(person=person).select_related("merchant").order_by("-id")[:ORDERS_MAX]
    orders = [
        (
            _format_time(order.created_at),
            order.merchant.name,
            order.title,
            minor_amount(order.total_minor, order.currency) or "—",
        )
        for order in latest
    ]
    files = [(name, str(rows)) for name, rows in counts.items() if rows]
    return Document(
        title=_("A copy of my data"),
        subtitle=_format_time(at),
        created_at=at,
        issuer=_("Use now, pay later"),
        blocks=[
            FieldList(details, title=_("Your details")),
            Table(
                [_("Time"), _("Merchant"), _("Order"), _("Amount")],
                orders,
                widths=[3, 3, 4, 2],
                amount_columns={3},
                title=_("Your latest orders"),
            ),
            Table(
                [_("File"), _("Records")], files, widths=[3, 1], amount_columns={1}, title=_("Contents of the files")
            ),
            Text(_("The complete data is in the accompanying files, one table per file; this is a summary.")),
        ],
    )


def _format_time(value: datetime) -> str:
    return strip_tags(moment(value))
