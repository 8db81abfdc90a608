"""/ops/ pages for notice templates: list, preview and publish."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import notice_rules, notice_templates
from accounts.models import NoticeTemplate
from accounts.models.notices import LANGUAGES
from accounts.refusals import TemplateChanged
from kernel.actor_names import usernames_of
from kernel.console_actions import Colleague, MenuItem, add_errors, console_page
from kernel.policy_versions import REASON_MAX
from kernel.refusal import Refusal

EDITORS, PUBLISHERS = ("supervisor", "support"), ("supervisor",)
VERSIONS_SHOWN = 20
MENU_ITEM = MenuItem(
    "templates", gettext_lazy("Notice templates"), gettext_lazy("What customers are told, in each language"), EDITORS
)


class TemplateForm(forms.Form):
    """The subject, body and reason of a new version; the service validates them."""

    subject = forms.CharField(
        label=gettext_lazy("Subject"), max_length=notice_rules.SUBJECT_MAX, widget=forms.TextInput(attrs={"size": 60})
    )
    body = forms.CharField(
        label=gettext_lazy("Text"), max_length=notice_rules.BODY_MAX, widget=forms.Textarea(attrs={"rows": 8})
    )
    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_MAX,
        help_text=gettext_lazy("Required to publish; kept with the version together with your name."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    #: The latest version when the form was loaded, so that a newer one is not overwritten unseen.
    after = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args: Any, publishes: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].required = publishes

    @property
    def text(self) -> notice_templates.NoticeText:
        return notice_templates.NoticeText(
            self.cleaned_data["subject"], self.cleaned_data["body"].replace("\r\n", "\n")
        )


@console_page(*EDITORS)
def template_list(colleague: Colleague) -> HttpResponse:
    """All stages and languages with the templates in use."""
    latest = notice_templates.latest_templates()
    return colleague.render(
        "console/templates.html",
        gettext_lazy("Notice templates"),
        rows=[
            (key, [(code, name, latest.get((key, code))) for code, name in LANGUAGES])
            for key in notice_rules.PLACEHOLDERS
        ],
    )


@console_page(*EDITORS)
def template_detail(colleague: Colleague, key: str, language: str) -> HttpResponse:
    """One stage in one language: preview and publish a new version."""
    if key not in notice_rules.PLACEHOLDERS or language not in dict(LANGUAGES):
        raise Http404
    versions = _latest_versions(key, language)
    publishes = colleague.posted("step") == "publish"
    form = TemplateForm(colleague.form_data, initial=_initial_values(versions), publishes=publishes)
    context: dict[str, Any] = {}
    if colleague.is_post and form.is_valid():
        try:
            context["reads"] = notice_templates.preview_template(key, language, form.text, at=colleague.at)
            if publishes:
                colleague.require_groups(PUBLISHERS)
                if colleague.claim_submission():
                    with colleague.allow_resubmission():
                        _publish(colleague, key, language, form)
                return redirect("template", key, language)
        except Refusal as refusal:
            add_errors(form, refusal)
            if isinstance(refusal, TemplateChanged):  # show the newer version; submitting again replaces it
                context["moved"], *_older = versions = _latest_versions(key, language)
                form.data = {**colleague.request.POST.dict(), "after": versions[0].version}
    return colleague.render(
        "console/template.html",
        f"{key} · {dict(LANGUAGES)[language]}",
        status=422 if form.errors else 200,
        form=form,
        language=language,
        versions=versions,
        names=usernames_of(row.by for row in versions),
        slots=sorted(notice_rules.PLACEHOLDERS[key]),
        may=colleague.is_in_groups(PUBLISHERS),
        **context,
    )


def _latest_versions(key: str, language: str) -> list[NoticeTemplate]:
    """The latest versions, newest first."""
    return list(NoticeTemplate.objects.filter(key=key, language=language).order_by("-version")[:VERSIONS_SHOWN])


def _publish(colleague: Colleague, key: str, language: str, form: TemplateForm) -> None:
    text, reason = form.text, form.cleaned_data["note"]
    colleague.audit("publish_words", f"{key} {language}", reason, subject=text.subject, body=text.body)
    after = form.cleaned_data["after"]
    template = notice_templates.publish_template(
        key, language, text, reason, after=after, by=colleague.actor, at=colleague.at
    )
    colleague.add_message(_("New notices use version %(version)d from now on.") % {"version": template.version})


def _initial_values(versions: list[NoticeTemplate]) -> dict[str, str | int]:
    if not versions:
        return {"after": 0}
    return {"subject": versions[0].subject, "body": versions[0].body, "after": versions[0].version}
