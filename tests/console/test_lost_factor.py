"""Somebody has lost their second factor: a supervisor who knows who they are switches it off, and nobody else."""

from collections.abc import Callable

from allauth.mfa.models import Authenticator
from django.test import Client

from accounts import second_factor, services
from accounts.models import AccountEvent, Notice, Person, User
from kernel.actor import Actor
from kernel.models import LIVE
from tests.conftest import BY, NOON
from tests.console.conftest import does, words_of
from tests.stillness import nothing_moves


def ada_with_app() -> Person:
    person = services.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    assert person.user
    second_factor.take_app(person.user.id, second_factor.generate_totp_secret(), by=BY, at=NOON)
    return person


def test_a_lost_second_factor_is_switched_off_with_a_reason(at_desk: Callable[..., Client]) -> None:
    ada, boss = ada_with_app(), at_desk("supervisor")
    path = f"/ops/do/{ada.public_id}/forget_second"
    assert path in boss.get(f"/ops/person/{ada.public_id}").content.decode()
    assert "短信验证码即可登录" in words_of(boss.get(path))
    with nothing_moves("kernel_idempotencykey", "django_session"):
        assert does(boss, path, note="").status_code == 422
    assert does(boss, path, note="视频核实了身份证")["Location"] == f"/ops/person/{ada.public_id}"
    assert not Authenticator.objects.exists()
    event = AccountEvent.objects.filter(kind="second_factor").latest("id")
    assert event.data == {"done": "all_removed", "note": "视频核实了身份证"}
    assert event.by == str(Actor.staff(User.objects.get(username="supervisor").pk))
    assert "客服已关闭两步验证" in Notice.objects.filter(person=ada).latest("id").body
    assert boss.get(path).status_code == 404


def test_nobody_below_a_supervisor_switches_it_off(at_desk: Callable[..., Client]) -> None:
    ada = ada_with_app()
    path = f"/ops/do/{ada.public_id}/forget_second"
    for role in ("support", "risk", "collections", "auditor", "viewer", "finance"):
        client = at_desk(role)
        with nothing_moves("django_session"):
            assert client.get(path).status_code == client.post(path, {"note": "x"}).status_code == 403
