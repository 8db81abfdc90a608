"""Verified identities: once, of adults, unique, and encrypted at rest."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, connections

from accounts import refusals, rules, services
from accounts.models import AccountEvent, Person, User
from kernel.actor import Actor
from kernel.models import LIVE, Realm
from kernel.refusal import Invalid, NotFound, Refusal
from tests.accounts.browser import ADA, NOON

BY = Actor.system("test")
ID_NUMBER = "11010519491231002X"


def ada(realm_id: int = LIVE) -> Person:
    return services.register_person(ADA, realm_id=realm_id, by=BY, at=NOON)


def all_stored_data() -> str:
    """All columns of the tables as a dump would show them, with bytes decoded as text."""
    shown = []
    with connection.cursor() as cursor:
        tables = [m._meta.db_table for m in (User, Person, AccountEvent)]
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608  our own table names
            for row in cursor.fetchall():
                shown += [bytes(v).decode("utf-8", "replace") if isinstance(v, memoryview) else str(v) for v in row]
    return "\n".join(shown)


@pytest.mark.django_db
def test_a_dump_of_the_tables_holds_no_phone_name_or_id_number() -> None:
    services.verify_identity(ada().id, "张小明", ID_NUMBER, by=BY, at=NOON)
    dump = all_stored_data()
    for clear in (ADA, ADA[3:], b"13812341234".hex(), "张小明", "小明", ID_NUMBER, ID_NUMBER[6:14]):
        assert clear not in dump


@pytest.mark.django_db
def test_a_value_copied_into_another_row_does_not_open(sandbox: Realm) -> None:
    one = services.create_sandbox_person("张三", realm_id=sandbox.id, by=BY, at=NOON)
    two = services.create_sandbox_person("李四", realm_id=sandbox.id, by=BY, at=NOON)
    assert one.user
    assert two.user
    Person.objects.filter(id=two.id).update(name_sealed=one.name_sealed)
    User.objects.filter(id=two.user.id).update(phone_sealed=one.user.phone_sealed)
    with pytest.raises(InvalidTag):
        Person.objects.get(id=two.id).reveal_name()
    with pytest.raises(InvalidTag):
        User.objects.get(id=two.user.id).reveal_phone()


@pytest.mark.django_db
def test_a_value_copied_into_another_column_does_not_open() -> None:
    person = services.verify_identity(ada().id, "张三", ID_NUMBER, by=BY, at=NOON)
    person.name_sealed = person.id_number_sealed
    with pytest.raises(InvalidTag):
        person.reveal_name()


@pytest.mark.django_db
def test_a_person_shows_masked_and_reveals_by_name_only() -> None:
    person = services.verify_identity(ada().id, " 张小明 ", ID_NUMBER.lower(), by=BY, at=NOON)
    assert (person.name_masked, person.phone_masked, person.id_number_masked) == (
        *("张**", "138****1234", "110*************2X"),
    )
    assert (person.reveal_name(), person.reveal_id_number()) == ("张小明", ID_NUMBER)
    assert person.user
    assert person.user.reveal_phone() == ADA
    shown = f"{person} {person!r} {person.user} {person.user!r} {vars(person)} {vars(person.user)}"
    for clear in (ADA, ADA[3:], "张", ID_NUMBER):
        assert clear not in shown


@pytest.mark.django_db
def test_what_is_not_known_yet_shows_as_nothing() -> None:
    person = ada()
    assert (person.name_masked, person.id_number_masked) == ("", "")
    assert (person.reveal_name(), person.reveal_id_number(), person.verified_at) == (None, None, None)


@pytest.mark.django_db
def test_a_registered_person_cannot_sign_in_by_password_and_is_told_of_once() -> None:
    person = services.register_person("138 1234 1234", realm_id=LIVE, ref="c-1", zone="Asia/Tokyo", by=BY, at=NOON)
    assert person.user
    assert not person.user.has_usable_password()
    assert (person.ref, person.zone, person.created_at, person.realm_id) == ("c-1", "Asia/Tokyo", NOON, LIVE)
    assert [(e.kind, e.by, e.at) for e in person.events.all()] == [("registered", "system:test", NOON)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("refusal", "change"),
    [
        (refusals.InvalidPhone, {"phone": "１３８００１３８０００"}),
        (refusals.InvalidZone, {"zone": "Mars/Base"}),
        (refusals.InvalidZone, {"zone": "../etc/passwd"}),
        (Invalid, {"ref": ""}),
        (Invalid, {"ref": "x" * 65}),
        (Invalid, {"ref": "a\0b"}),
    ],
)
def test_a_person_with_a_wrong_value_is_refused_and_nothing_is_written(
    refusal: type[Refusal], change: dict[str, str]
) -> None:
    given = {"phone": ADA, **change}
    with pytest.raises(refusal):
        services.register_person(given.pop("phone"), realm_id=LIVE, by=BY, at=NOON, **given)
    assert (User.objects.count(), Person.objects.count(), AccountEvent.objects.count()) == (0, 0, 0)


@pytest.mark.django_db
def test_a_reference_names_one_person_of_its_realm(sandbox: Realm) -> None:
    services.register_person("13800000001", realm_id=LIVE, ref="c-1", by=BY, at=NOON)
    with pytest.raises(refusals.RefTaken):
        services.register_person("13800000002", realm_id=LIVE, ref="c-1", by=BY, at=NOON)
    services.register_person("13800000003", realm_id=sandbox.id, ref="c-1", by=BY, at=NOON)
    assert User.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("born", "refusal"),
    [("20081123", refusals.UnderAge), ("20081122", None), ("20261123", refusals.InvalidIdNumber)],
)
def test_only_an_adult_of_that_day_where_they_live_is_verified(born: str, refusal: type[Refusal] | None) -> None:
    digits = f"110105{born}001"
    number = digits + rules.id_check_character(digits)
    late = datetime(2026, 11, 21, 16, tzinfo=UTC)  # in Shanghai the 22nd has begun
    person_id = ada().id
    if refusal is None:
        assert services.verify_identity(person_id, "张三", number, by=BY, at=late).verified_at == late
        return
    with pytest.raises(refusal):
        services.verify_identity(person_id, "张三", number, by=BY, at=late)
    assert Person.objects.get().verified_at is None


@pytest.mark.django_db
def test_an_identity_is_proved_once_and_a_wrong_one_not_at_all(sandbox: Realm) -> None:
    person = ada()
    with pytest.raises(refusals.InvalidIdNumber):
        services.verify_identity(person.id, "张三", ID_NUMBER[:-1] + "1", by=BY, at=NOON)
    for name in ("", " ", "x" * 51, "张\n三", "a\0b"):
        with pytest.raises(refusals.InvalidName):
            services.verify_identity(person.id, name, ID_NUMBER, by=BY, at=NOON)
    services.verify_identity(person.id, "张三", ID_NUMBER, by=BY, at=NOON)
    with pytest.raises(refusals.AlreadyVerified):
        services.verify_identity(person.id, "张三", ID_NUMBER, by=BY, at=NOON)
    other = services.register_person("13800000002", realm_id=LIVE, by=BY, at=NOON)
    with pytest.raises(refusals.IdNumberTaken):
        services.verify_identity(other.id, "张三", ID_NUMBER, by=BY, at=NOON)
    elsewhere = services.register_person("13800000003", realm_id=sandbox.id, by=BY, at=NOON)
    services.verify_identity(elsewhere.id, "张三", ID_NUMBER, by=BY, at=NOON)
    with pytest.raises(NotFound):
        services.verify_identity(UUID(int=7), "张三", ID_NUMBER, by=BY, at=NOON)


def outcomes(acts: list[Callable[[], object]]) -> list[str]:
    """Run these at once, each on its own connection, and return how each ended."""

    def outcome(act: Callable[[], object]) -> str:
        try:
            act()
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(len(acts)) as threads:
        return sorted(threads.map(outcome, acts))


@pytest.mark.django_db(transaction=True)
def test_twenty_who_register_one_phone_at_once_are_one_person() -> None:
    realm = Realm.objects.create(mode="test")
    came = outcomes([lambda: ada(realm.id)] * 20)
    assert came == ["done"] + ["phone_taken"] * 19
    assert (User.objects.count(), Person.objects.count(), AccountEvent.objects.count()) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_twenty_who_claim_one_id_number_at_once_are_one_person() -> None:
    realm = Realm.objects.create(mode="test")
    people = [services.register_person(f"138000000{n:02}", realm_id=realm.id, by=BY, at=NOON).id for n in range(20)]
    came = outcomes(
        [lambda key=key: services.verify_identity(key, "张三", ID_NUMBER, by=BY, at=NOON) for key in people]
    )
    assert came == ["done"] + ["id_number_taken"] * 19
    assert Person.objects.filter(verified_at__isnull=False).count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_proofs_of_one_person_at_once_are_one_record() -> None:
    person = ada(Realm.objects.create(mode="test").id)
    came = outcomes([lambda: services.verify_identity(person.id, "张三", ID_NUMBER, by=BY, at=NOON)] * 20)
    assert came == ["already_verified"] * 19 + ["done"]


@pytest.mark.django_db
def test_people_of_a_sandbox_are_made_up_whole(sandbox: Realm) -> None:
    people = [services.create_sandbox_person("张三", realm_id=sandbox.id, by=BY, at=NOON) for _ in range(30)]
    assert all(p.verified_at == NOON and p.reveal_name() == "张三" and p.ref == p.public_id for p in people)
    assert len({p.reveal_id_number() for p in people}) == 30
    assert all(p.user and rules.is_fictional(p.user.reveal_phone() or "") for p in people)


@pytest.mark.django_db
def test_a_made_up_number_that_is_taken_already_is_drawn_again(sandbox: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    first = services.create_sandbox_person("张三", realm_id=sandbox.id, by=BY, at=NOON)
    assert first.user
    taken, fresh, adult = first.user.reveal_phone(), rules.fictional_phone, rules.fictional_id_number
    monkeypatch.setattr(rules, "fictional_phone", lambda seed, draw: fresh(seed, draw) if draw else taken)
    id_number = first.reveal_id_number()
    monkeypatch.setattr(rules, "fictional_id_number", lambda seed, draw: adult(seed, draw) if draw > 1 else id_number)
    second = services.create_sandbox_person("李四", realm_id=sandbox.id, by=BY, at=NOON)
    assert second.user
    assert second.user.reveal_phone() != taken
    assert second.reveal_id_number() != id_number
    assert [e.kind for e in second.events.order_by("id")] == ["registered", "identity_verified"]


@pytest.mark.django_db
def test_nobody_is_made_up_in_the_live_realm() -> None:
    with pytest.raises(refusals.SandboxOnly):
        services.create_sandbox_person("张三", realm_id=LIVE, by=BY, at=NOON)
    assert User.objects.count() == 0


@pytest.mark.django_db
def test_a_colleague_has_the_roles_that_were_given_and_no_other() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= set(services.ROLES)
    user = services.create_staff("lin", "correct horse battery", roles=["risk", "viewer"], by=BY, at=NOON)
    assert user.is_staff
    assert not user.is_superuser
    assert sorted(user.groups.values_list("name", flat=True)) == ["risk", "viewer"]
    assert user.check_password("correct horse battery")
    with pytest.raises(refusals.UsernameTaken):
        services.create_staff("lin", "correct horse battery", roles=[], by=BY, at=NOON)
    with pytest.raises(refusals.UnknownRole):
        services.create_staff("wu", "correct horse battery", roles=["boss"], by=BY, at=NOON)
    with pytest.raises(refusals.WeakPassword) as weak:
        services.create_staff("wu", "12345", roles=[], by=BY, at=NOON)
    assert weak.value.errors[0].pointer == "/password"
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_manage_py_makes_a_superuser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery")
    call_command("createsuperuser", "--noinput", "--username", "root", verbosity=0)
    root = User.objects.get(username="root")
    assert root.is_superuser
    assert root.is_staff
    assert root.check_password("correct horse battery")


@pytest.mark.django_db
def test_events_hold_nothing_personal_and_cannot_be_changed() -> None:
    services.verify_identity(ada().id, "张三", ID_NUMBER, by=BY, at=NOON)
    created = json.dumps(list(AccountEvent.objects.values("kind", "by", "data")), ensure_ascii=False)
    assert "张" not in created
    assert ID_NUMBER not in created
