"""The words of notices: how they read, and saying it otherwise."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import inbox, wording
from accounts.models import NoticeTemplate
from accounts.models.notices import LANGUAGES
from accounts.refusals import WordsMoved
from kernel.actor_names import names_of
from kernel.console_actions import Colleague, Desk, page, show_errors
from kernel.refusal import Refusal
from kernel.versions import REASON_MAX

EDITORS, PUBLISHERS = ("supervisor", "support"), ("supervisor",)
VERSIONS_SHOWN = 20
DESK = Desk(
    "templates", gettext_lazy("Notice templates"), gettext_lazy("What customers are told, in each language"), EDITORS
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
        help_text=gettext_lazy("Required to publish; kept with the version together with your name."),
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
        gettext_lazy("Notice templates"),
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
    colleague.tell(_("New notices use version %(version)d from now on.") % {"version": made.version})


def _begun(versions: list[NoticeTemplate]) -> dict[str, str | int]:
    if not versions:
        return {"after": 0}
    return {"subject": versions[0].subject, "body": versions[0].body, "after": versions[0].version}
