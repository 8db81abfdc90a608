from orders.models.concern import Concern, ConcernEvent, EasePolicy, Message
from orders.models.obligation import ATTEMPTED_SQL, Obligation
from orders.models.obligation_history import ObligationEvent
from orders.models.order import Order, OrderEvent
from orders.models.schedule import Pause, Plan

__all__ = [
    "ATTEMPTED_SQL",
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
