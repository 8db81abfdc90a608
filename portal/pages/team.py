"""The team: visible to all members, changed by owners."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from kernel.refusal import NotFound
from portal import labels, queries
from portal.forms import render_form
from portal.models import Member
from portal.services import team as team_service
from portal.services.invitation_messages import send_invitation
from portal.staff import Staff, merchant_page

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class RoleForm(forms.Form):
    """The role of a member."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), initial="developer", widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(key, f"{name}: {labels.ROLE_DESCRIPTIONS[key]}") for key, name in labels.ROLE_LABELS.items()]
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
@merchant_page("team")
def team_page(staff: Staff) -> HttpResponse:
    live = staff.business.live.id
    context: dict[str, Any] = {
        "members": queries.team_of(live),
        "invitations": queries.invitations_of(live, staff.real),
    }
    return staff.render("portal/team.html", roles=labels.ROLE_DESCRIPTIONS, **context)


@_FORM
@merchant_page("invite")
def invite(staff: Staff) -> HttpResponse:
    def run(data: dict[str, Any]) -> HttpResponse:
        invitation, token = team_service.invite(staff.business.live.id, **data, by=staff.actor, at=staff.real)
        name, language = staff.business.live.name, staff.member.user.language
        if send_invitation(invitation, name, token, phone=data["phone"], language=language):
            staff.add_message(_("It was sent to %(where)s.") % {"where": invitation.sent_to})
        else:
            staff.add_warning(_("It could not be sent. Withdraw it and invite again later."))
        return staff.redirect_to("team")

    title = _("Invite member")
    lead = _(
        "They receive a link that works once and expires in seven days. It is not shown to anyone else, including you."
    )
    return render_form(
        staff, InvitationForm(staff.form_data), run, title=title, button=title, back=staff.url("team"), lead=lead
    )


@_FORM
@merchant_page("revoke_invitation")
def revoke_invitation(staff: Staff, invitation: str) -> HttpResponse:
    key = staff.parse_id("inv", invitation)
    found = queries.invitations_of(staff.business.live.id, staff.real).filter(pk=key).first()
    if found is None:
        raise NotFound

    def run(_data: dict[str, Any]) -> HttpResponse:
        team_service.revoke_invitation(staff.business.live.id, key, by=staff.actor, at=staff.real)
        staff.add_message(_("The invitation link is no longer valid."))
        return staff.redirect_to("team")

    title, back, form = _("Withdraw this invitation"), staff.url("team"), forms.Form(staff.form_data)
    return render_form(staff, form, run, title=title, button=title, back=back, danger=True, about=found.sent_to)


@_FORM
@merchant_page("change_role")
def change_role(staff: Staff, member: str) -> HttpResponse:
    found = _find_member(staff, member)

    def run(data: dict[str, Any]) -> HttpResponse:
        team_service.change_role(staff.business.live.id, found.id, data["role"], by=staff.actor, at=staff.real)
        staff.add_message(_("Role changed."))
        return staff.redirect_to("team")

    form = RoleForm(staff.form_data, initial={"role": found.role})
    title, about = _("Change role"), str(found.user)
    return render_form(staff, form, run, title=title, button=_("Save"), back=staff.url("team"), about=about)


@_FORM
@merchant_page("remove_member")
def remove_member(staff: Staff, member: str) -> HttpResponse:
    found = _find_member(staff, member)

    def run(_data: dict[str, Any]) -> HttpResponse:
        team_service.remove_member(staff.business.live.id, found.id, by=staff.actor, at=staff.real)
        staff.add_message(_("This member can no longer see anything of this merchant."))
        return staff.redirect_to("team")

    title, about = _("Remove from the team"), str(found.user)
    form = forms.Form(staff.form_data)
    return render_form(staff, form, run, title=title, button=title, back=staff.url("team"), danger=True, about=about)


def _find_member(staff: Staff, member: str) -> Member:
    found = queries.team_of(staff.business.live.id).filter(pk=staff.parse_id("mem", member)).first()
    if found is None:
        raise NotFound
    return found
