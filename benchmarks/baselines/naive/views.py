import hashlib

from django.db import transaction
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

from benchmarks.baselines.naive.models import Decision, IdempotencyKey, Order, OrderEvent, Outbox, Profile
from benchmarks.baselines.naive.serializers import OrderSerializer

OPEN_ORDERS_MAX = 20


class NewestFirst(CursorPagination):
    ordering = "-created_at"
    page_size = 20


class OrderViewSet(mixins.CreateModelMixin, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet):
    serializer_class = OrderSerializer
    pagination_class = NewestFirst

    def get_queryset(self):
        orders = Order.objects.filter(merchant=self.request.user).order_by("-created_at")
        return orders.prefetch_related("obligations")

    @transaction.atomic
    def create(self, request, *args, **kwargs):
        digest = hashlib.sha256(request.path.encode() + request.body).hexdigest()
        key, made = IdempotencyKey.objects.select_for_update().get_or_create(
            merchant=request.user, key=request.headers["Idempotency-Key"], defaults={"request_hash": digest}
        )
        if not made:
            if key.request_hash != digest:
                raise ValidationError("The key was used for another request.")
            return Response(key.body, status=key.status)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        self.perform_create(serializer)
        key.status, key.body = status.HTTP_201_CREATED, serializer.data
        key.save(update_fields=["status", "body"])
        return Response(serializer.data, status=status.HTTP_201_CREATED)

    def perform_create(self, serializer):
        wish = serializer.validated_data
        agreement = wish["agreement"]
        if agreement.merchant_id != self.request.user.id or agreement.state != "active":
            raise ValidationError("The agreement is not active.")
        profile = Profile.objects.select_for_update().select_related("person").get(pk=agreement.person_id)
        used = profile.held_minor + profile.outstanding_minor
        inputs = {"score": profile.score, "limit": profile.limit_minor, "used": used, "asked": wish["ceiling"]}
        approved = (
            profile.person.verified_at is not None
            and profile.overdue_orders == 0
            and profile.open_orders < OPEN_ORDERS_MAX
            and used + wish["ceiling"] <= profile.limit_minor
        )
        Decision.objects.create(
            agreement=agreement, out_order_no=wish["out_order_no"], inputs=inputs, approved=approved
        )
        if not approved:
            raise ValidationError("Refused.")
        profile.held_minor += wish["ceiling"]
        profile.open_orders += 1
        profile.save()
        agreement.live_orders += 1
        agreement.save()
        order = serializer.save(
            merchant=self.request.user, service=agreement.service, person=agreement.person, state="open"
        )
        OrderEvent.objects.create(order=order, seq=1, kind="opened")
        Outbox.objects.create(merchant=order.merchant, type="order.opened", data={"id": str(order.id), "state": "open"})
