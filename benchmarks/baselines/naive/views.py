import hashlib

from django.db import transaction
from django.utils.timezone import now
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

from benchmarks.baselines.naive.models import (
    Decision,
    IdempotencyKey,
    Obligation,
    Order,
    OrderEvent,
    Outbox,
    Posting,
    Profile,
)
from benchmarks.baselines.naive.serializers import CancelSerializer, CompleteSerializer, OrderSerializer

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

    def create(self, request, *args, **kwargs):
        def act():
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            self.perform_create(serializer)
            return serializer.data

        return self.once(act, status.HTTP_201_CREATED)

    @action(detail=True, methods=["post"], serializer_class=CompleteSerializer)
    def complete(self, request, pk=None):
        def act():
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            order, total = self.locked("open"), serializer.validated_data["total"]
            if total > order.ceiling:
                raise ValidationError("Above the ceiling.")
            order.state, order.total, order.completed_at = "completed", total, now()
            order.save()
            Obligation.objects.create(
                order=order,
                person=order.person,
                amount_minor=total,
                due_at=order.completed_at,
                collect_at=order.completed_at,
            )
            profile = Profile.objects.select_for_update().get(pk=order.person_id)
            profile.held_minor -= order.ceiling
            profile.outstanding_minor += total
            profile.open_orders -= 1
            profile.save()
            debit, credit = f"receivable:{order.person_id}", f"pending:{order.merchant_id}"
            Posting.objects.create(order=order, kind="completed", debit=debit, credit=credit, amount_minor=total)
            return self.publish_event(order, "completed", total=total)

        return self.once(act, status.HTTP_200_OK)

    @action(detail=True, methods=["post"], serializer_class=CancelSerializer)
    def cancel(self, request, pk=None):
        def act():
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            order = self.locked("open")
            order.state = "cancelled"
            order.save()
            profile = Profile.objects.select_for_update().get(pk=order.person_id)
            profile.held_minor -= order.ceiling
            profile.open_orders -= 1
            profile.save()
            order.agreement.live_orders -= 1
            order.agreement.save()
            return self.publish_event(order, "cancelled", reason=serializer.validated_data["reason"])

        return self.once(act, status.HTTP_200_OK)

    @transaction.atomic
    def once(self, act, code):
        request = self.request
        digest = hashlib.sha256(request.path.encode() + request.body).hexdigest()
        key, made = IdempotencyKey.objects.select_for_update().get_or_create(
            merchant=request.user, key=request.headers["Idempotency-Key"], defaults={"request_hash": digest}
        )
        if not made:
            if key.request_hash != digest:
                raise ValidationError("The key was used for another request.")
            return Response(key.body, status=key.status)
        key.status, key.body = code, act()
        key.save(update_fields=["status", "body"])
        return Response(key.body, status=key.status)

    def locked(self, state):
        mine = Order.objects.filter(merchant=self.request.user).select_for_update(of=["self"])
        order = get_object_or_404(mine.select_related("agreement", "person"), pk=self.kwargs["pk"])
        if order.state != state:
            raise ValidationError(f"The order is {order.state}.")
        return order

    def publish_event(self, order, kind, **data):
        OrderEvent.objects.create(order=order, seq=2, kind=kind, data=data)
        Outbox.objects.create(merchant=order.merchant, type=f"order.{kind}", data={"id": str(order.id), **data})
        return OrderSerializer(order).data

    def perform_create(self, serializer):
        data = serializer.validated_data
        agreement = data["agreement"]
        if agreement.merchant_id != self.request.user.id or agreement.state != "active":
            raise ValidationError("The agreement is not active.")
        profile = Profile.objects.select_for_update().select_related("person").get(pk=agreement.person_id)
        used = profile.held_minor + profile.outstanding_minor
        inputs = {
            "score": profile.score,
            "limit": profile.limit_minor,
            "used": used,
            "asked": data["ceiling"],
        }
        approved = (
            profile.person.verified_at is not None
            and profile.overdue_orders == 0
            and profile.open_orders < OPEN_ORDERS_MAX
            and used + data["ceiling"] <= profile.limit_minor
        )
        Decision.objects.create(
            agreement=agreement, out_order_no=data["out_order_no"], inputs=inputs, approved=approved
        )
        if not approved:
            raise ValidationError("Refused.")
        profile.held_minor += data["ceiling"]
        profile.open_orders += 1
        profile.save()
        agreement.live_orders += 1
        agreement.save()
        order = serializer.save(
            merchant=self.request.user, service=agreement.service, person=agreement.person, state="open"
        )
        OrderEvent.objects.create(order=order, seq=1, kind="opened")
        Outbox.objects.create(merchant=order.merchant, type="order.opened", data={"id": str(order.id), "state": "open"})
