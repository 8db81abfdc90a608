"""What may be wrong with asking for money."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Invalid, Refusal


class NoInstrument(Refusal):
    """There is nothing to take the money from."""

    code, title = "no_instrument", _("There is no usable payment instrument.")


class OrderPaused(Refusal):
    """Nothing is collected while a reason stops the order's clock."""

    code, title = "order_paused", _("The order's clock stands still: nothing is collected until it goes on.")


class TooOften(Refusal):
    """The merchant asked to collect this order often enough today."""

    code, status, title, passing = "collect_too_often", 429, _("This order was collected often enough today."), True


class AmountInvalid(Refusal):
    """More than is owed, or nothing."""

    code, status, title = "amount_invalid", 422, _("The amount is not between one cent and what is owed.")


class AmountChanged(Refusal):
    """What the person agreed to pay is not what is owed now."""

    code, title = "amount_changed", _("What you owe has changed meanwhile. Look at the new amount before you pay.")


class BadSignature(Refusal):
    """A callback that the channel did not sign."""

    code, status, title = "bad_signature", 401, _("The signature does not fit.")


class ReferenceReused(Refusal):
    """A bank's reference names one movement for ever."""

    code, title = "reference_reused", _("This reference stands for another payment.")


class RefundTooMuch(Refusal):
    """More than is owed and was collected, less what went back before."""

    code, status, title = "refund_too_much", 422, _("More than can be given back of this order.")


class RefundNumberReused(Refusal):
    """`out_refund_no` names another refund of this merchant."""

    code, title = "out_refund_no_reused", _("This out_refund_no belongs to a refund with other parameters.")


class ChannelOut(Refusal):
    """Somebody declared it before."""

    code, title = "channel_out", _("This channel is declared out already.")


class ChannelNotOut(Refusal):
    """Somebody said before that it is back, or it never was out."""

    code, title = "channel_not_out", _("This channel is not declared out.")


class PolicyInvalid(Invalid):
    """A retry policy's terms, name, day or reason are not what they can be; `errors` says which."""

    code, title = "policy_invalid", _("The policy cannot be published like this.")


class PolicyMoved(Busy):
    """Whoever wrote this version had read an older one."""

    code, title = "policy_moved", _("Another version was published meanwhile: look at it first.")


class ClockBusy(Busy):
    """Somebody is moving this sandbox's clock on, and it is moved by one at a time."""

    code, title = "clock_busy", _("The sandbox's clock is being moved on; try again shortly.")


class ClockBackwards(Refusal):
    """What has happened has happened: no time of it comes again."""

    code, status, title = "clock_backwards", 422, _("A clock never runs backwards.")


class ClockTooFar(Refusal):
    """Further than one step may go, or than a sandbox may be ahead of real time."""

    code, status, title = "clock_too_far", 422, _("The clock cannot be moved that far.")
