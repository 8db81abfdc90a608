"""The same things with the same columns, each a Django model; keys are UUIDv4, as uuid4 is what one reaches for."""

import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class Identified(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True


class Merchant(Identified):
    name = models.CharField(max_length=100)
    is_authenticated = True


class ApiKey(Identified):
    merchant = models.ForeignKey(Merchant, models.PROTECT)
    digest = models.CharField(max_length=64, unique=True)
    revoked_at = models.DateTimeField(null=True)


class Service(Identified):
    merchant = models.ForeignKey(Merchant, models.PROTECT)
    name = models.CharField(max_length=100)
    ceiling_minor = models.BigIntegerField()


class Person(Identified):
    name = models.CharField(max_length=100)
    verified_at = models.DateTimeField(null=True)


class Profile(models.Model):
    person = models.OneToOneField(Person, models.PROTECT, primary_key=True)
    score = models.IntegerField(default=600)
    limit_minor = models.BigIntegerField(default=100_000)
    held_minor = models.BigIntegerField(default=0)
    outstanding_minor = models.BigIntegerField(default=0)
    open_orders = models.IntegerField(default=0)
    overdue_orders = models.IntegerField(default=0)
    kept_orders = models.IntegerField(default=0)


class Agreement(Identified):
    merchant = models.ForeignKey(Merchant, models.PROTECT)
    service = models.ForeignKey(Service, models.PROTECT)
    person = models.ForeignKey(Person, models.PROTECT)
    state = models.CharField(max_length=20, default="active")
    live_orders = models.IntegerField(default=0)


class Order(Identified):
    merchant = models.ForeignKey(Merchant, models.PROTECT)
    service = models.ForeignKey(Service, models.PROTECT)
    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="orders")
    person = models.ForeignKey(Person, models.PROTECT)
    out_order_no = models.CharField(max_length=32)
    state = models.CharField(max_length=20, default="open")
    title = models.CharField(max_length=100)
    currency = models.CharField(max_length=3, default="CNY")
    ceiling = models.BigIntegerField()
    total = models.BigIntegerField(null=True)
    items = models.JSONField(default=list, blank=True)
    discounts = models.JSONField(default=list, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    start_location = models.CharField(max_length=100, blank=True)
    end_location = models.CharField(max_length=100, blank=True)
    attach = models.CharField(max_length=256, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True)
    deducted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["merchant", "out_order_no"], name="naive_number_once")]
        indexes = [models.Index(fields=["merchant", "-created_at"]), models.Index(fields=["person", "-created_at"])]


class Decision(Identified):
    agreement = models.ForeignKey(Agreement, models.PROTECT)
    out_order_no = models.CharField(max_length=32)
    inputs = models.JSONField()
    approved = models.BooleanField()
    at = models.DateTimeField(auto_now_add=True)


class OrderEvent(Identified):
    order = models.ForeignKey(Order, models.PROTECT, related_name="history")
    seq = models.IntegerField()
    kind = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "seq"], name="naive_seq_once")]


class Obligation(Identified):
    order = models.ForeignKey(Order, models.PROTECT, related_name="obligations")
    person = models.ForeignKey(Person, models.PROTECT)
    amount_minor = models.BigIntegerField()
    paid_minor = models.BigIntegerField(default=0)
    state = models.CharField(max_length=20, default="pending")
    due_at = models.DateTimeField()
    collect_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["state", "collect_at"])]


class Attempt(Identified):
    obligation = models.ForeignKey(Obligation, models.PROTECT)
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=20, default="sent")
    channel_txn = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(auto_now_add=True)


class Posting(Identified):
    order = models.ForeignKey(Order, models.PROTECT)
    kind = models.CharField(max_length=40)
    debit = models.CharField(max_length=60)
    credit = models.CharField(max_length=60)
    amount_minor = models.BigIntegerField()
    at = models.DateTimeField(auto_now_add=True)


class Outbox(Identified):
    """What is to be sent to the merchant."""

    merchant = models.ForeignKey(Merchant, models.PROTECT)
    url = models.CharField(max_length=200, blank=True)
    type = models.CharField(max_length=40)
    data = models.JSONField()
    sent_at = models.DateTimeField(null=True)
    tries = models.IntegerField(default=0)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["sent_at", "at"])]


class IdempotencyKey(models.Model):
    merchant = models.ForeignKey(Merchant, models.PROTECT)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.IntegerField(null=True)
    body = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["merchant", "key"], name="naive_key_once")]
