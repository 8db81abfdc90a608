from orders.models.concern import Concern, ConcernEvent, EasePolicy, Message
from orders.models.obligation import Obligation, ObligationEvent, Pause, Plan
from orders.models.order import Order, OrderEvent

__all__ = [
    "Concern",
    "ConcernEvent",
    "EasePolicy",
    "Message",
    "Obligation",
    "ObligationEvent",
    "Order",
    "OrderEvent",
    "Pause",
    "Plan",
]
