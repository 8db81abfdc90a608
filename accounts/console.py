"""The words of notices: what each stage says in each language, how it would read, and saying it otherwise."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import inbox, wording
from accounts.inbox import Words
from accounts.models import NoticeTemplate
from accounts.models.notices import LANGUAGES
from kernel.desk import Colleague, Desk, names_of, page, show_errors
from kernel.refusal import Refusal

EDITORS, PUBLISHERS = ("supervisor", "support"), ("supervisor",)
VERSIONS_SHOWN = 20
DESK = Desk(
    "templates", gettext_lazy("Words of notices"), gettext_lazy("What people are told, in each language"), EDITORS
)


class WordsForm(forms.Form):
    """A subject and a body. What they may say, the service says."""

    subject = forms.CharField(
        label=gettext_lazy("Subject"), max_length=wording.SUBJECT_MAX, widget=forms.TextInput(attrs={"size": 60})
    )
    body = forms.CharField(
        label=gettext_lazy("Text"), max_length=wording.BODY_MAX, widget=forms.Textarea(attrs={"rows": 8})
    )

    @property
    def words(self) -> Words:
        return Words(self.cleaned_data["subject"], self.cleaned_data["body"].replace("\r\n", "\n"))


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
    versions = list(NoticeTemplate.objects.filter(key=key, language=language).order_by("-version")[:VERSIONS_SHOWN])
    form = WordsForm(colleague.given, initial=_begun(versions))
    shown: dict[str, Any] = {}
    if colleague.posts and form.is_valid():
        try:
            shown["reads"] = inbox.preview(key, language, form.words, at=colleague.at)
            if colleague.sent("step") == "publish":
                colleague.demand(PUBLISHERS)
                colleague.audit("publish_words", f"{key} {language}", subject=form.words.subject, body=form.words.body)
                made = inbox.publish_template(key, language, form.words, by=colleague.actor, at=colleague.at)
                colleague.tell(
                    _("Version %(version)d is what people are told from now on.") % {"version": made.version}
                )
                return redirect("template", key, language)
        except Refusal as refusal:
            show_errors(form, refusal)
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


def _begun(versions: list[NoticeTemplate]) -> dict[str, str]:
    return {"subject": versions[0].subject, "body": versions[0].body} if versions else {}
