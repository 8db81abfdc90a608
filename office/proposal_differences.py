"""What a proposal changes: each value of its subject when submitted beside the requested one, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.console_actions import StrOrPromise
from kernel.labels import role_labels, value_label
from kernel.maker_checker import ApprovalType
from office.models import Proposal

#: Labels of snapshot fields that no form labels.
FIELD_LABELS: dict[str, StrOrPromise] = {
    "state": gettext_lazy("State"),
    "version": gettext_lazy("Version"),
    "score": gettext_lazy("Score"),
    "active": gettext_lazy("Can sign in"),
    "kind": gettext_lazy("Kind"),
    "theirs": gettext_lazy("Channel record"),
    "ours": gettext_lazy("Our ledger record"),
    "heard": gettext_lazy("Passed to automatic resolution"),
    "closed": gettext_lazy("Closed"),
    "limit": gettext_lazy("Limit"),
    "roles": gettext_lazy("Roles"),
    "next_bps": gettext_lazy("Fee already scheduled (basis points)"),
}
#: Snapshot fields that hold codes.
CODE_FIELDS = {"state", "kind"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of the subject: its value when submitted and the requested one."""

    name: StrOrPromise
    before: StrOrPromise
    #: None where no value was requested; empty where the value is to be removed.
    after: StrOrPromise | None

    @property
    def is_changed(self) -> bool:
        return self.after is not None and self.after != self.before


def differences(approval_type: ApprovalType, row: Proposal) -> list[Difference]:
    """The subject's values when submitted beside the requested ones, changed fields first."""
    requested = approval_type.requested(row.about, row.wish)
    labels = {**approval_type.field_labels, **FIELD_LABELS}
    rows = [
        Difference(
            _field_label(name, labels),
            _format_value(approval_type, row.before.get(name), name),
            _format_value(approval_type, requested[name], name) if name in requested else None,
        )
        for name in {**requested, **row.before}
    ]
    return sorted(rows, key=lambda row: not row.is_changed)


def _field_label(name: str, labels: Mapping[str, StrOrPromise]) -> StrOrPromise:
    """The label of a field; a field of one currency (`limit_CNY`) gets the currency code after it."""
    head, _line, code = name.rpartition("_")
    return f"{labels[head]} {code}" if head in labels and code.isupper() else labels.get(name, name)


def _format_value(approval_type: ApprovalType, value: object, name: str) -> StrOrPromise:
    if name == "roles" and value:
        return role_labels(value.split(", ") if isinstance(value, str) else value if isinstance(value, list) else ())
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    text = "" if value is None else str(value)
    if text in approval_type.choices.get(name, {}):
        return str(approval_type.choices[name][text])
    return value_label(text) if name in CODE_FIELDS else text
