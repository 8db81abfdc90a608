"""Who works for the business: looked at by all, changed by its owners."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from kernel.refusal import NotFound
from portal import queries, wording
from portal.forms import ask
from portal.models import Member
from portal.services import team as verbs
from portal.services.sending import send_invitation
from portal.staff import Staff, page

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class RoleForm(forms.Form):
    """What somebody is there for."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), initial="developer", widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(key, f"{name}: {wording.ROLES_MAY[key]}") for key, name in wording.ROLES.items()]
        self.fields["role"].choices = choices  # type: ignore[attr-defined]


class InvitationForm(RoleForm):
    email = forms.CharField(
        label=gettext_lazy("Email address"), max_length=254, required=False, widget=forms.EmailInput
    )
    phone = forms.CharField(
        label=gettext_lazy("Phone number (to invite by text message instead or as well)"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel"}),
    )
    field_order = ("email", "phone", "role")


@require_safe
@page("team")
def team(staff: Staff) -> HttpResponse:
    live = staff.business.live.id
    shown: dict[str, Any] = {"members": queries.team_of(live), "invitations": queries.invitations_of(live, staff.real)}
    return staff.show("portal/team.html", roles=wording.ROLES_MAY, **shown)


@_FORM
@page("invite")
def invite(staff: Staff) -> HttpResponse:
    def run(given: dict[str, Any]) -> HttpResponse:
        made, token = verbs.invite(staff.business.live.id, **given, by=staff.actor, at=staff.real)
        name, language = staff.business.live.name, staff.member.user.language
        if send_invitation(made, name, token, phone=given["phone"], language=language):
            staff.tell(_("It was sent to %(where)s.") % {"where": made.sent_to})
        else:
            staff.warn(_("It could not be sent. Withdraw it and invite again later."))
        return staff.to("team")

    title = _("Invite member")
    lead = _(
        "They receive a link that works once and expires in seven days. It is not shown to anyone else, including you."
    )
    return ask(staff, InvitationForm(staff.given), run, title=title, button=title, back=staff.url("team"), lead=lead)


@_FORM
@page("revoke_invitation")
def revoke_invitation(staff: Staff, invitation: str) -> HttpResponse:
    key = staff.named("inv", invitation)
    found = queries.invitations_of(staff.business.live.id, staff.real).filter(pk=key).first()
    if found is None:
        raise NotFound

    def run(_given: dict[str, Any]) -> HttpResponse:
        verbs.revoke_invitation(staff.business.live.id, key, by=staff.actor, at=staff.real)
        staff.tell(_("The invitation link is no longer valid."))
        return staff.to("team")

    title, back, form = _("Withdraw this invitation"), staff.url("team"), forms.Form(staff.given)
    return ask(staff, form, run, title=title, button=title, back=back, danger=True, about=found.sent_to)


@_FORM
@page("change_role")
def change_role(staff: Staff, member: str) -> HttpResponse:
    found = _member(staff, member)

    def run(given: dict[str, Any]) -> HttpResponse:
        verbs.change_role(staff.business.live.id, found.id, given["role"], by=staff.actor, at=staff.real)
        staff.tell(_("Role changed."))
        return staff.to("team")

    form = RoleForm(staff.given, initial={"role": found.role})
    title, about = _("Change role"), str(found.user)
    return ask(staff, form, run, title=title, button=_("Save"), back=staff.url("team"), about=about)


@_FORM
@page("remove_member")
def remove_member(staff: Staff, member: str) -> HttpResponse:
    found = _member(staff, member)

    def run(_given: dict[str, Any]) -> HttpResponse:
        verbs.remove_member(staff.business.live.id, found.id, by=staff.actor, at=staff.real)
        staff.tell(_("This member can no longer see anything of this merchant."))
        return staff.to("team")

    title, about = _("Remove from the team"), str(found.user)
    form = forms.Form(staff.given)
    return ask(staff, form, run, title=title, button=title, back=staff.url("team"), danger=True, about=about)


def _member(staff: Staff, member: str) -> Member:
    found = queries.team_of(staff.business.live.id).filter(pk=staff.named("mem", member)).first()
    if found is None:
        raise NotFound
    return found
