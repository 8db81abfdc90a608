from orders.models.concern import Concern, ConcernEvent, EasePolicy, Message
from orders.models.obligation import ASKED, Obligation, ObligationEvent, leading
from orders.models.order import Order, OrderEvent
from orders.models.schedule import Pause, Plan

__all__ = [
    "ASKED",
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
    "leading",
]
