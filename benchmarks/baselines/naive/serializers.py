from rest_framework import serializers

from benchmarks.baselines.naive.models import Obligation, Order


class ObligationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Obligation
        fields = ["id", "amount_minor", "paid_minor", "due_at", "state"]


class OrderSerializer(serializers.ModelSerializer):
    obligations = ObligationSerializer(many=True, read_only=True)
    paid = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = [
            "id", "state", "out_order_no", "agreement", "service", "person", "title", "currency", "ceiling", "total",
            "paid", "items", "discounts", "obligations", "starts_at", "ends_at", "start_location", "end_location",
            "created_at", "completed_at", "deducted_at", "attach", "metadata",
        ]  # fmt: skip
        read_only_fields = ["state", "service", "person", "total", "completed_at", "deducted_at"]

    def get_paid(self, order):
        return sum(obligation.paid_minor for obligation in order.obligations.all())


class CompleteSerializer(serializers.Serializer):
    total = serializers.IntegerField(min_value=0)


class CancelSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=200)
