"""What colleagues do at the console beside looking: pages to do it at, and verbs on one row. Each names who may."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kernel import audit
from kernel.actor import Actor
from kernel.admin_site import belongs
from kernel.clock import live_now
from kernel.forms import free_if_broken_off, new_token, sent_first
from kernel.models import Identified
from kernel.rate_limits import address_of
from kernel.refusal import Refusal

NOTE_LENGTH_MAX = 200
_P = ParamSpec("_P")
#: A line of text that a page shows, in whatever language its reader has.
Words = str | Promise


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
    def posts(self) -> bool:
        return self.request.method == "POST"

    @property
    def given(self) -> Any:
        """What a form was sent with, or nothing while it is only looked at."""
        return self.request.POST if self.posts else None

    def may(self, groups: tuple[str, ...]) -> bool:
        return belongs(self.user, groups)

    def reads(self, model: type[Any]) -> bool:
        """Whether they may look at the rows of this table."""
        shown = admin.site._registry.get(model)  # noqa: SLF001  there is no public way to ask
        return shown is not None and bool(shown.has_view_permission(self.request))

    def demand(self, groups: tuple[str, ...]) -> None:
        """Go no further unless they are in one of these groups.

        Raises:
            PermissionDenied: they are not.
        """
        if not self.may(groups):
            raise PermissionDenied

    def sent(self, name: str) -> str:
        """A field of the form that was sent."""
        return str(self.request.POST.get(name, ""))

    def sends_first(self) -> bool:
        """Whether this form is sent for the first time; where it was sent before, the next page says so.

        Raises:
            Invalid: no form of ours sent this.
        """
        return sent_first(self.request, self.user.pk, self.sent("token"), self.request.path)

    def sends_again(self) -> AbstractContextManager[None]:
        """Around what the form does: where the database breaks it off, it may be sent once more."""
        return free_if_broken_off(self.user.pk, self.sent("token"))

    def audit(self, act: str, about: str = "", why: str = "", **data: Any) -> None:
        """Write down that they looked at this, or did it."""
        audit.record(act, about=about, why=why, place=address_of(self.request), by=self.actor, at=self.at, data=data)

    def tell(self, words: Words) -> None:
        """Say it on top of the next page."""
        messages.success(self.request, str(words))

    def show(self, template: str, title: Words, *, status: int = 200, **context: Any) -> HttpResponse:
        frame = {"title": title, "token": new_token(), "zone": settings.CONSOLE_ZONE}
        site = admin.site.each_context(self.request)
        return render(self.request, template, {**site, **frame, **context}, status=status)


@dataclass(frozen=True, slots=True)
class Desk:
    """A page of the console at which something is done, as the index names it."""

    address: str
    label: Words
    says: Words
    groups: tuple[str, ...]


class VerbForm(forms.Form):
    """What every verb asks: why. A subclass asks more, and may read the row for its choices."""

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
class Done:
    """What was done, and what follows when its transaction has ended: the world outside is asked then."""

    says: Words
    then: Callable[[], object] | None = None
    #: A secret that only the next page shows: no record keeps it.
    once: Words = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """Something a colleague does to one row. `preview` says what would happen now; `run` does it and says what did.

    Both may refuse. It is shown only for rows it `fits`, and leads `back` to the row's page if nowhere else. The verb
    may stand on a floor above its row's: the roof puts it into `VERBS`, and the row's page shows it to whoever may.
    """

    name: str
    model: type[Identified]
    label: Words
    groups: tuple[str, ...]
    preview: Callable[[Any, datetime], Words]
    run: Callable[[UUID, dict[str, Any], Actor, datetime], "Words | Done"]
    form: type[VerbForm] = VerbForm
    fits: Callable[[Any], bool] = bool
    back: Callable[[Any], str] | None = None
    #: Where its postings will stand. Those can be foreseen: it is done in one transaction, and taken back.
    books: Callable[[Any], Q] | None = None
    #: Whether what is wished for needs a second colleague, who may agree, and what of the row it is asked against.
    second: Callable[[Any, Mapping[str, Any]], bool] | None = None
    deciders: tuple[str, ...] = ("supervisor",)
    stands: Callable[[Any], dict[str, Any]] | None = None
    #: What was wished for, by the names under which that stands, where those are not the form's.
    wants: Callable[[Any, dict[str, Any]], dict[str, Any]] | None = None
    #: Locks what it locks first, where that is not the row itself.
    hold: Callable[[Any], Any] | None = None
    #: Whether the row's page offers it. Where it does not, its own page says why not.
    offered: Callable[[Any], bool] = bool

    def address(self, row: Any) -> str:
        return reverse("verb", args=[row.public_id, self.name])


#: What the index and the rows' pages show. The roof fills them in.
SHELVES: list[tuple[Words, tuple[Desk, ...]]] = []
VERBS: list[Verb] = []
#: Of which rows something stands masked, what the page is called that shows it, and who may open that.
MASKED: dict[type[Identified], tuple[str, tuple[str, ...]]] = {}


def page(*groups: str) -> Callable[..., Callable[..., HttpResponse]]:
    """A page for these groups: a stranger signs in first, any other colleague is turned away."""

    def for_groups(view: Callable[Concatenate[Colleague, _P], HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def opened(request: HttpRequest, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
            user = request.user
            if not isinstance(user, AbstractBaseUser) or not belongs(user, groups):
                raise PermissionDenied
            with timezone.override(settings.CONSOLE_ZONE):
                return view(Colleague(request, user, live_now()), *args, **kwargs)

        signed_in: Callable[..., HttpResponse] = admin.site.admin_view(opened)
        return signed_in

    return for_groups


def show_errors(form: forms.Form, refusal: Refusal) -> None:
    """A refusal's words beside the fields they are about; what is about none stands on top."""
    for error in refusal.errors:
        field = error.pointer.rpartition("/")[2]
        form.add_error(field if field in form.fields else None, str(error.detail))
    if not refusal.errors:
        form.add_error(None, str(refusal.detail))


def deed(
    colleague: Colleague,
    label: Words,
    *,
    about: str,
    back: str,
    form: VerbForm,
    preview: Callable[[], Words],
    run: Callable[[dict[str, Any]], "Words | Done"],
    moves: Callable[[dict[str, Any]], Sequence[Any]] | None = None,
    template: str = "console/deed.html",
    **beside: Any,
) -> HttpResponse:
    """A page for one thing to do: what would happen, why it is done, and the button. A second click does nothing.

    `moves` says what it would write into the book, as soon as everything is said that this hangs on.
    """
    looks = moves is not None and colleague.sent("step") == "look"
    if colleague.posts and not looks and form.is_valid():
        try:
            if colleague.sends_first():
                colleague.tell(_done(colleague, about, run, form.cleaned_data))
        except Refusal as refusal:
            show_errors(form, refusal)
        else:
            return redirect(back)
    shown = {"about": about, "label": label, "back": back, "form": form, **beside}
    try:
        shown["says"] = preview()
    except Refusal as refusal:
        shown["refused"] = refusal.detail
    else:
        shown |= _book(form, moves, looks=looks) if moves is not None else {}
    return colleague.show(template, label, status=422 if form.errors else 200, **shown)


def _book(form: VerbForm, moves: Callable[[dict[str, Any]], Sequence[Any]], *, looks: bool) -> dict[str, Any]:
    """What it would write into the book, once enough is said: at once where nothing but the reason is asked."""
    asks_more = set(form.fields) != {"note"}
    wish: dict[str, Any] | None = None if asks_more or form.is_bound else {"note": "…"}
    if looks and form.is_valid():
        wish = form.cleaned_data
    if wish is None:
        return {"asks_more": asks_more}
    try:
        return {"asks_more": asks_more, "looked": True, "moves": moves(wish)}
    except Refusal as refusal:
        show_errors(form, refusal) if form.is_bound else None
        return {"asks_more": asks_more, "refused": "" if form.is_bound else refusal.detail}


def finished(done: "Words | Done") -> Words:
    """What to say of it, when what follows it has been done too."""
    if isinstance(done, Done):
        if done.then is not None:
            done.then()
        return done.says
    return done


def _done(
    colleague: Colleague, about: str, run: Callable[[dict[str, Any]], "Words | Done"], wish: dict[str, Any]
) -> Words:
    """Do it, written down before and after: nothing is done that the audit does not know of."""
    way = colleague.request.resolver_match
    act = (way.kwargs.get("name") if way and way.url_name == "verb" else way and way.url_name) or "deed"
    asked = {name: str(value) for name, value in wish.items() if name != "note"}
    try:
        with colleague.sends_again():
            colleague.audit(f"{act}", about, wish["note"], **asked)
            done = run(wish)
        said = finished(done)
    except Refusal as refusal:
        colleague.audit(f"{act}.refused", about, code=refusal.code)
        raise
    colleague.audit(f"{act}.done", about, said=str(said))
    if isinstance(done, Done) and done.once:
        colleague.tell(done.once)
    return said
