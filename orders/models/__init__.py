from orders.models.obligation import Obligation, ObligationEvent, Pause, Plan
from orders.models.order import Order, OrderEvent

__all__ = ["Obligation", "ObligationEvent", "Order", "OrderEvent", "Pause", "Plan"]
