"""The words of notices: how they read, and saying it otherwise; a lost second factor off; a colleague's roles."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import colleagues, enrolment, inbox, second_factor, wording
from accounts.models import NoticeTemplate, Person, User
from accounts.models.notices import LANGUAGES
from accounts.refusals import WordsMoved
from accounts.services import ROLES
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.desk import Colleague, Desk, Done, Verb, VerbForm, Words, page, show_errors
from kernel.refusal import Refusal
from kernel.versions import REASON_MAX
from kernel.who import names_of

EDITORS, PUBLISHERS = ("supervisor", "support"), ("supervisor",)
VERSIONS_SHOWN = 20
DESK = Desk(
    "templates", gettext_lazy("Words of notices"), gettext_lazy("What people are told, in each language"), EDITORS
)


class WordsForm(forms.Form):
    """A subject and a body, and why they are published. What they may say, the service says."""

    subject = forms.CharField(
        label=gettext_lazy("Subject"), max_length=wording.SUBJECT_MAX, widget=forms.TextInput(attrs={"size": 60})
    )
    body = forms.CharField(
        label=gettext_lazy("Text"), max_length=wording.BODY_MAX, widget=forms.Textarea(attrs={"rows": 8})
    )
    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_MAX,
        help_text=gettext_lazy("Asked for when it is published, and stands beside the version with your name."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    #: The version that was in use when it was written: another that came meanwhile is not replaced unseen.
    after = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args: Any, publishes: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].required = publishes

    @property
    def words(self) -> inbox.Words:
        return inbox.Words(self.cleaned_data["subject"], self.cleaned_data["body"].replace("\r\n", "\n"))


@page(*EDITORS)
def templates(colleague: Colleague) -> HttpResponse:
    """Every stage and language with the words it is told in now."""
    latest = inbox.latest_templates()
    return colleague.show(
        "console/templates.html",
        gettext_lazy("Words of notices"),
        rows=[
            (key, [(code, name, latest.get((key, code))) for code, name in LANGUAGES]) for key in wording.PLACEHOLDERS
        ],
    )


@page(*EDITORS)
def template(colleague: Colleague, key: str, language: str) -> HttpResponse:
    """One stage in one language: its words, how they read, and other words from now on."""
    if key not in wording.PLACEHOLDERS or language not in dict(LANGUAGES):
        raise Http404
    versions = _versions(key, language)
    publishes = colleague.sent("step") == "publish"
    form = WordsForm(colleague.given, initial=_begun(versions), publishes=publishes)
    shown: dict[str, Any] = {}
    if colleague.posts and form.is_valid():
        try:
            shown["reads"] = inbox.preview(key, language, form.words, at=colleague.at)
            if publishes:
                colleague.demand(PUBLISHERS)
                if colleague.sends_first():
                    with colleague.sends_again():
                        _publish(colleague, key, language, form)
                return redirect("template", key, language)
        except Refusal as refusal:
            show_errors(form, refusal)
            if isinstance(refusal, WordsMoved):  # they are shown beside it: whoever sends it again has seen them
                shown["moved"], *_older = versions = _versions(key, language)
                form.data = {**colleague.request.POST.dict(), "after": versions[0].version}
    return colleague.show(
        "console/template.html",
        f"{key} · {dict(LANGUAGES)[language]}",
        status=422 if form.errors else 200,
        form=form,
        language=language,
        versions=versions,
        names=names_of(row.by for row in versions),
        slots=sorted(wording.PLACEHOLDERS[key]),
        may=colleague.may(PUBLISHERS),
        **shown,
    )


def _versions(key: str, language: str) -> list[NoticeTemplate]:
    """The newest first."""
    return list(NoticeTemplate.objects.filter(key=key, language=language).order_by("-version")[:VERSIONS_SHOWN])


def _publish(colleague: Colleague, key: str, language: str, form: WordsForm) -> None:
    words, why = form.words, form.cleaned_data["note"]
    colleague.audit("publish_words", f"{key} {language}", why, subject=words.subject, body=words.body)
    after = form.cleaned_data["after"]
    made = inbox.publish_template(key, language, words, why, after=after, by=colleague.actor, at=colleague.at)
    colleague.tell(_("Version %(version)d is what people are told from now on.") % {"version": made.version})


def _holds_second(person: Person) -> bool:
    return person.user is not None and second_factor.has_one(person.user)


def _colleague_holds_second(user: User) -> bool:
    return user.is_staff and second_factor.has_one(user)


def _before_colleague(user: User, at: datetime) -> Words:
    del at
    says = _("The app, the passkeys and the codes of %(name)s count no more. Another is set up with an enrolment code.")
    return says % {"name": str(user)}


def _forget_colleague(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    second_factor.remove_all(key, by=by, at=at, note=wish["note"])
    return _("The second step is off.")


def _needs_code(user: User) -> bool:
    return user.is_active and second_factor.wants_code(user)


def _before_code(user: User, at: datetime) -> Words:
    del at
    says = _(
        "%(name)s sets up a second step with this code and the password. It is shown once, here, and is good once and"
        " for a day; one before it counts no more. Say it in person, to whoever you know to be this colleague."
    )
    return says % {"name": str(user)}


def _give_code(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    code = enrolment.give_code(key, note=wish["note"], by=by, at=at)
    until = date_format(localtime(code.ends_at), "Y-m-d H:i")
    once = _("The enrolment code, good until %(until)s: %(code)s") % {"until": until, "code": code.text}
    return Done(_("An enrolment code was given."), once=once)


def _before_forget(person: Person, at: datetime) -> Words:
    del person, at
    return _(
        "The app, the passkeys and the codes count no more: the code to their phone alone signs in. They are told at"
        " once. Do this only for somebody who has proved by their real name that they are this person."
    )


def _forget(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    del at  # what is done to an account is done in real time
    person = Person.objects.select_related("user").get(pk=key)
    if person.user is not None:
        second_factor.remove_all(person.user.id, by=by, at=live_now(), note=wish["note"])
    return _("The second step is off, and the person is told.")


class RolesForm(VerbForm):
    """Which roles they have from then on."""

    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        choices=[(role, role) for role in ROLES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None: they see nothing of the console any more."),
    )

    def __init__(self, *args: Any, row: User, **kwargs: Any) -> None:
        super().__init__(*args, row=row, initial={"roles": _roles(row)}, **kwargs)


def _roles(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def _stands(user: User) -> dict[str, Any]:
    return {"roles": ", ".join(_roles(user)), "active": user.is_active}


def _before_roles(user: User, at: datetime) -> Words:
    del at
    says = _("%(name)s has these roles: %(roles)s. Others count from their next page on.")
    return says % {"name": str(user), "roles": ", ".join(_roles(user)) or "–"}


def _give_roles(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    user = colleagues.change_roles(key, wish["roles"], note=wish["note"], by=by, at=at)
    return _("%(name)s has these roles: %(roles)s.") % {"name": str(user), "roles": ", ".join(_roles(user)) or "–"}


def _always(user: User, wish: Any) -> bool:
    del user, wish
    return True


def _is_colleague(user: User) -> bool:
    return user.is_staff


VERBS = [
    Verb(
        "change_roles",
        User,
        gettext_lazy("Change the roles"),
        ("supervisor",),
        _before_roles,
        _give_roles,
        RolesForm,
        fits=_is_colleague,
        second=_always,
        stands=_stands,
    ),
    Verb(
        "forget_second",
        Person,
        gettext_lazy("Switch the second step off"),
        ("supervisor",),
        _before_forget,
        _forget,
        fits=_holds_second,
    ),
    Verb(
        "forget_colleague",
        User,
        gettext_lazy("Switch the second step off"),
        ("supervisor",),
        _before_colleague,
        _forget_colleague,
        fits=_colleague_holds_second,
        second=_always,
        stands=_stands,
    ),
    Verb(
        "enrolment_code",
        User,
        gettext_lazy("Give an enrolment code"),
        ("supervisor",),
        _before_code,
        _give_code,
        fits=_needs_code,
    ),
]


def _begun(versions: list[NoticeTemplate]) -> dict[str, str | int]:
    if not versions:
        return {"after": 0}
    return {"subject": versions[0].subject, "body": versions[0].body, "after": versions[0].version}
