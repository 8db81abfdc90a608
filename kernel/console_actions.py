"""The operations console's pages and row actions, each with the groups that may use it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, ClassVar, Concatenate, ParamSpec
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kernel import audit
from kernel.actor import Actor
from kernel.admin_site import is_in_groups
from kernel.clock import live_now
from kernel.forms import claim_submission, new_form_token, release_on_database_error
from kernel.models import Identified
from kernel.rate_limits import client_address
from kernel.refusal import Refusal

NOTE_LENGTH_MAX = 200
_P = ParamSpec("_P")
#: Text that may still have to be translated into the reader's language.
StrOrPromise = str | Promise


@dataclass(frozen=True, slots=True)
class Colleague:
    """One colleague's request for a page of the console, at one moment of real time."""

    request: HttpRequest
    user: AbstractBaseUser
    at: datetime

    @property
    def actor(self) -> Actor:
        return Actor.staff(self.user.pk)

    @property
    def is_post(self) -> bool:
        return self.request.method == "POST"

    @property
    def form_data(self) -> Any:
        """The submitted form data; None on GET."""
        return self.request.POST if self.is_post else None

    def is_in_groups(self, groups: tuple[str, ...]) -> bool:
        return is_in_groups(self.user, groups)

    def can_view(self, model: type[Any]) -> bool:
        """Whether they may view the rows of this table."""
        model_admin = admin.site._registry.get(model)  # noqa: SLF001  there is no public way to ask
        return model_admin is not None and bool(model_admin.has_view_permission(self.request))

    def require_groups(self, groups: tuple[str, ...]) -> None:
        """Require membership in one of these groups.

        Raises:
            PermissionDenied: they are not.
        """
        if not self.is_in_groups(groups):
            raise PermissionDenied

    def posted(self, name: str) -> str:
        """A field of the submitted form."""
        return str(self.request.POST.get(name, ""))

    def claim_submission(self) -> bool:
        """Whether this form is submitted for the first time; if not, the next page says so.

        Raises:
            Invalid: the token is not one of our forms'.
        """
        return claim_submission(self.request, self.user.pk, self.posted("token"), self.request.path)

    def allow_resubmission(self) -> AbstractContextManager[None]:
        """Wrap the form's effect: if the database aborts it, the form may be submitted again."""
        return release_on_database_error(self.user.pk, self.posted("token"))

    def audit(self, act: str, about: str = "", why: str = "", **data: Any) -> None:
        """Record in the audit log that they viewed or did this."""
        audit.record(
            act, about=about, why=why, place=client_address(self.request), by=self.actor, at=self.at, data=data
        )

    def add_message(self, words: StrOrPromise, *, is_done: bool = True) -> None:
        """Show this message on top of the next page; as a warning if it is about something that is not done."""
        (messages.success if is_done else messages.warning)(self.request, str(words))

    def render(self, template: str, title: StrOrPromise, *, status: int = 200, **context: Any) -> HttpResponse:
        frame = {"title": title, "token": new_form_token(), "zone": settings.CONSOLE_ZONE}
        site = admin.site.each_context(self.request)
        return render(self.request, template, {**site, **frame, **context}, status=status)


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A console page as the index and the menu list it."""

    url_name: str
    label: StrOrPromise
    description: StrOrPromise
    groups: tuple[str, ...]


class ReasonForm(forms.Form):
    """The form of every row action: the reason. Subclasses add fields and may read the row for their choices."""

    #: Whether the note is stored in a row that is erased with its customer, so that the audit log must not repeat it.
    is_note_erasable: ClassVar[bool] = False

    note = forms.CharField(
        label=_("Reason"),
        max_length=NOTE_LENGTH_MAX,
        help_text=_("Recorded in this record's history with your name."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        self.order_fields([name for name in self.fields if name != "note"])


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The result of an action. `follow_up` runs after its transaction, so it may call external services.

    An ActionResult that it returns replaces this one: only then is it known what really happened.
    """

    message: StrOrPromise
    follow_up: Callable[[], object] | None = None
    #: Whether it is done. If not, it is shown as a warning.
    is_done: bool = True
    #: A secret that is shown on the next page only and stored nowhere.
    secret: StrOrPromise = ""


@dataclass(frozen=True, slots=True)
class RowAction:
    """An action of a colleague on one row. `preview` describes what would happen now; `run` does it and reports.

    Both may raise Refusal. It is available for rows it `applies_to`, and then returns to `back_url`, by default the
    row's page. An action may belong to a higher layer than its model: the project's URL module registers it in
    `ROW_ACTIONS`.
    """

    name: str
    model: type[Identified]
    label: StrOrPromise
    groups: tuple[str, ...]
    preview: Callable[[Any, datetime], StrOrPromise]
    run: Callable[[UUID, dict[str, Any], Actor, datetime], "StrOrPromise | ActionResult"]
    form: type[ReasonForm] = ReasonForm
    applies_to: Callable[[Any], bool] = bool
    back_url: Callable[[Any], str] | None = None
    #: Selects the postings it makes, so that they can be previewed: it is run in a transaction and rolled back.
    posting_filter: Callable[[Any], Q] | None = None
    #: Whether a request needs a second colleague's approval; who may approve; the row's values to compare with.
    needs_approval: Callable[[Any, Mapping[str, Any]], bool] | None = None
    approvers: tuple[str, ...] = ("supervisor",)
    snapshot: Callable[[Any], dict[str, Any]] | None = None
    #: The requested values under the snapshot's keys, where those differ from the form's field names.
    requested: Callable[[Any, dict[str, Any]], dict[str, Any]] | None = None
    #: Locks what the action locks first, where that is not the row itself.
    lock: Callable[[Any], Any] | None = None
    #: Whether the row's page shows it. If not, the action's own page says why.
    is_offered: Callable[[Any], bool] = bool

    def url(self, row: Any) -> str:
        return reverse("verb", args=[row.public_id, self.name])


#: The sections of the menu, and the actions on rows' pages. Filled in by the project's URL module.
MENU_SECTIONS: list[tuple[StrOrPromise, tuple[MenuItem, ...]]] = []
ROW_ACTIONS: list[RowAction] = []
#: For models with masked values: the URL name of the page that shows them, and the groups that may open it.
UNMASK_PAGES: dict[type[Identified], tuple[str, tuple[str, ...]]] = {}


def console_page(*groups: str) -> Callable[..., Callable[..., HttpResponse]]:
    """A view for these groups: anonymous users are asked to sign in, other colleagues get 403."""

    def for_groups(view: Callable[Concatenate[Colleague, _P], HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def opened(request: HttpRequest, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
            user = request.user
            if not isinstance(user, AbstractBaseUser) or not is_in_groups(user, groups):
                raise PermissionDenied
            with timezone.override(settings.CONSOLE_ZONE):
                return view(Colleague(request, user, live_now()), *args, **kwargs)

        signed_in: Callable[..., HttpResponse] = admin.site.admin_view(opened)
        return signed_in

    return for_groups


def add_errors(form: forms.Form, refusal: Refusal) -> None:
    """Add a refusal's messages to the fields they are about; the others become form-wide errors."""
    for error in refusal.errors:
        field = error.pointer.rpartition("/")[2]
        form.add_error(field if field in form.fields else None, str(error.detail))
    if not refusal.errors:
        form.add_error(None, str(refusal.detail))
