"""A supervisor removes a lost second factor; nobody else can."""

from collections.abc import Callable

from allauth.mfa.models import Authenticator
from django.test import Client

from accounts import second_factor, services
from accounts.models import AccountEvent, Notice, Person, User
from kernel.actor import Actor
from kernel.models import LIVE
from tests.conftest import BY, NOON
from tests.console.conftest import page_text, submit_form
from tests.unchanged import assert_unchanged


def ada_with_app() -> Person:
    person = services.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    assert person.user
    second_factor.activate_app(person.user.id, second_factor.generate_totp_secret(), by=BY, at=NOON)
    return person


def test_a_lost_second_factor_is_switched_off_with_a_reason(console_client: Callable[..., Client]) -> None:
    ada, supervisor = ada_with_app(), console_client("supervisor")
    path = f"/ops/do/{ada.public_id}/forget_second"
    assert path in supervisor.get(f"/ops/person/{ada.public_id}").content.decode()
    assert "短信验证码即可登录" in page_text(supervisor.get(path))
    with assert_unchanged("kernel_idempotencykey", "django_session"):
        assert submit_form(supervisor, path, note="").status_code == 422
    assert submit_form(supervisor, path, note="视频核实了身份证")["Location"] == f"/ops/person/{ada.public_id}"
    assert not Authenticator.objects.exists()
    event = AccountEvent.objects.filter(kind="second_factor").latest("id")
    assert event.data == {"done": "all_removed", "note": "视频核实了身份证"}
    assert event.by == str(Actor.staff(User.objects.get(username="supervisor").pk))
    assert "客服已关闭两步验证" in Notice.objects.filter(person=ada).latest("id").body
    assert supervisor.get(path).status_code == 404


def test_nobody_below_a_supervisor_switches_it_off(console_client: Callable[..., Client]) -> None:
    ada = ada_with_app()
    path = f"/ops/do/{ada.public_id}/forget_second"
    for role in ("support", "risk", "collections", "auditor", "viewer", "finance"):
        client = console_client(role)
        with assert_unchanged("django_session"):
            assert client.get(path).status_code == client.post(path, {"note": "x"}).status_code == 403
