"""Users, people, and locally stored messages.

Personal data is stored encrypted, and shown masked unless `reveal_…` is called.
"""

from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts import notice_rules, rules
from kernel import encryption, ids
from kernel.models import Identified, Realm
from kernel.refusal import NotFound

DEFAULT_LANGUAGE = "zh-hans"
DEFAULT_ZONE = "Asia/Shanghai"
REF_LENGTH_MAX = 64
_R = TypeVar("_R", bound="Identified")


class LockableQuerySet(models.QuerySet[_R]):
    def locked(self, key: UUID) -> _R:
        """Lock the row until the transaction ends.

        Raises:
            NotFound: there is no such row.
        """
        row = self.select_for_update(of=("self",), no_key=True).filter(pk=key).first()
        if row is None:
            raise NotFound
        return row


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str | None = None, password: str | None = None, **fields: Any) -> "User":
        """Create a user; without a password they cannot sign in by one: people use a code sent to their phone."""
        user = self.model(username=username and self.model.normalize_username(username), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Called by `manage.py createsuperuser`."""
        return self.create_user(username, password, is_staff=True, is_superuser=True, **fields)

    def find_by_phone(self, phone: str) -> "User | None":
        """The user with this E.164 number."""
        return self.filter(phone_index=phone_index(phone)).first()

    def locked(self, key: UUID) -> "User":
        """Lock the row until the transaction ends.

        Raises:
            NotFound: there is no such user.
        """
        return LockableQuerySet(self.model, using=self._db).locked(key)


class User(Identified, AbstractBaseUser, PermissionsMixin):
    """An account: people sign in by phone and code, colleagues and staff of merchants by username and password."""

    prefix = "usr"

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    username = models.CharField(max_length=64, null=True, blank=True)
    phone_sealed = models.BinaryField(null=True)
    phone_index = models.BinaryField(max_length=32, null=True)
    phone_verified_at = models.DateTimeField(null=True, blank=True)
    email = models.EmailField(blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    language = models.CharField(
        max_length=10, default=DEFAULT_LANGUAGE, choices=[(DEFAULT_LANGUAGE, "简体中文"), ("en", "English")]
    )
    joined_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["username"], name="a_username_belongs_to_one_user"),
            models.UniqueConstraint(fields=["phone_index"], name="a_phone_belongs_to_one_user"),
            models.CheckConstraint(
                name="a_phone_stands_with_its_index",
                condition=Q(phone_sealed__isnull=True, phone_index__isnull=True)
                | Q(phone_sealed__isnull=False, phone_index__isnull=False),
            ),
            models.CheckConstraint(
                name="only_a_known_phone_is_verified",
                condition=Q(phone_verified_at__isnull=True) | Q(phone_index__isnull=False),
            ),
            models.CheckConstraint(
                name="staff_sign_in_by_username",
                condition=Q(is_staff=False, is_superuser=False) | Q(username__isnull=False),
            ),
            models.CheckConstraint(
                name="whoever_is_active_can_sign_in_by_something",
                condition=Q(is_active=False) | Q(username__isnull=False) | Q(phone_index__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.username or self.public_id

    def set_phone(self, phone: str) -> None:
        """Set the E.164 number, not verified yet; does not save."""
        self.phone_sealed = encryption.seal(phone, place=self._phone_place)
        self.phone_index = phone_index(phone)
        self.phone_verified_at = None

    def reveal_phone(self) -> str | None:
        """The decrypted E.164 number."""
        return _unseal(self.phone_sealed, self._phone_place)

    @property
    def phone_masked(self) -> str:
        phone = self.reveal_phone()
        return rules.mask_phone(phone) if phone else ""

    @property
    def _phone_place(self) -> str:
        return f"accounts.user.phone:{self.id}"


class PersonQuerySet(LockableQuerySet["Person"]):
    def locked_active(self, key: UUID) -> "Person":
        """Lock the row of a person whose account was not closed.

        Raises:
            NotFound: there is no such person, or their account is closed.
        """
        person = self.locked(key)
        if person.user is not None and not person.user.is_active:
            raise NotFound
        return person


class Person(Identified):
    """A customer: somebody who uses now and pays later. Real in the live realm, fictional in a sandbox."""

    prefix = "per"

    realm = models.ForeignKey(Realm, on_delete=models.PROTECT, related_name="people", db_index=False)
    user = models.OneToOneField(User, on_delete=models.PROTECT, null=True, related_name="person")
    ref = models.CharField(max_length=REF_LENGTH_MAX)
    name_sealed = models.BinaryField(null=True)
    id_number_sealed = models.BinaryField(null=True)
    id_number_index = models.BinaryField(max_length=32, null=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    zone = models.CharField(max_length=40, default=DEFAULT_ZONE)
    #: The verified email address for notices, encrypted; NULL if there is none.
    mail_sealed = models.BinaryField(null=True)
    #: Copies that they do not want, as stage and channel: "debit_succeeded:sms".
    silenced = models.JSONField(default=list, blank=True)
    #: The hours, in their time zone, in which text messages may be sent to them.
    wake_hour = models.PositiveSmallIntegerField(default=notice_rules.WAKE_HOUR)
    rest_hour = models.PositiveSmallIntegerField(default=notice_rules.REST_HOUR)
    created_at = models.DateTimeField()

    objects = PersonQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["realm", "ref"], name="a_ref_names_one_person_of_its_realm"),
            models.UniqueConstraint(
                fields=["realm", "id_number_index"], name="an_id_number_belongs_to_one_person_of_its_realm"
            ),
            models.CheckConstraint(name="a_ref_is_not_empty", condition=~Q(ref="")),
            models.CheckConstraint(
                name="nobody_is_disturbed_at_night",
                condition=Q(wake_hour__range=(notice_rules.WAKE_HOUR, notice_rules.WAKE_HOUR_MAX))
                & Q(rest_hour__range=(notice_rules.REST_HOUR_MIN, notice_rules.REST_HOUR)),
            ),
            models.CheckConstraint(
                name="an_identity_is_known_whole_or_not_at_all",
                condition=Q(
                    name_sealed__isnull=True,
                    id_number_sealed__isnull=True,
                    id_number_index__isnull=True,
                    verified_at__isnull=True,
                )
                | Q(
                    name_sealed__isnull=False,
                    id_number_sealed__isnull=False,
                    id_number_index__isnull=False,
                    verified_at__isnull=False,
                ),
            ),
        ]

    def set_identity(self, name: str, id_number: str) -> None:
        """Set name and ID number. The date of birth is part of the number, and is not stored separately."""
        self.name_sealed = encryption.seal(name, place=self._name_place)
        self.id_number_sealed = encryption.seal(id_number, place=self._id_number_place)
        self.id_number_index = encryption.blind_index(id_number, purpose="accounts.person.id_number")

    def reveal_name(self) -> str | None:
        return _unseal(self.name_sealed, self._name_place)

    def set_mail(self, address: str) -> None:
        self.mail_sealed = encryption.seal(address, place=self._mail_place) if address else None

    def reveal_mail(self) -> str | None:
        return _unseal(self.mail_sealed, self._mail_place)

    def reveal_id_number(self) -> str | None:
        return _unseal(self.id_number_sealed, self._id_number_place)

    @property
    def name_masked(self) -> str:
        name = self.reveal_name()
        return rules.mask_name(name) if name else ""

    @property
    def id_number_masked(self) -> str:
        number = self.reveal_id_number()
        return rules.mask_id_number(number) if number else ""

    @property
    def phone_masked(self) -> str:
        return self.user.phone_masked if self.user else ""

    @property
    def mail_masked(self) -> str:
        return rules.mask_mail(self.reveal_mail() or "")

    @property
    def notification_hours(self) -> tuple[int, int]:
        """From which hour until which hour text messages may be sent to them."""
        return self.wake_hour, self.rest_hour

    @property
    def _name_place(self) -> str:
        return f"accounts.person.name:{self.id}"

    @property
    def _mail_place(self) -> str:
        return f"accounts.person.mail:{self.id}"

    @property
    def _id_number_place(self) -> str:
        return f"accounts.person.id_number:{self.id}"


class LocalMessage(models.Model):
    """A text message or mail that was stored instead of sent, in development and tests only."""

    deletable: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    kind = models.CharField(max_length=4, choices=[("sms", "sms"), ("mail", "mail")])
    to = models.CharField(max_length=320)
    text = models.TextField()
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


def phone_index(phone: str) -> bytes:
    """The keyed hash by which a user is found by E.164 number."""
    return encryption.blind_index(phone, purpose="accounts.user.phone")


def _unseal(value: bytes | memoryview | None, place: str) -> str | None:
    return None if value is None else encryption.unseal(value, place=place)
