"""What may be wrong with asking for money."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Invalid, Refusal


class NoInstrument(Refusal):
    """There is nothing to take the money from."""

    code, title = "no_instrument", _("There is no usable payment instrument.")


class WalletTooLow(Refusal):
    """The wallet does not hold what its person wants to pay from it; asked, it would only say no."""

    code, status, title = "wallet_too_low", 422, _("Your wallet does not hold that much.")


class AboveLimits(Refusal):
    """The person's own limits do not let this be taken from anything they have, or not today."""

    code, title = "above_limits", _("The person's own limits do not allow this deduction today.")


class InstrumentInUse(Busy):
    """A deduction from it is under way."""

    code, title = "instrument_in_use", _("A deduction from it is under way. Remove it when its outcome is known.")


class InstrumentNeeded(Refusal):
    """There is nothing else to take from what is owed, or will be."""

    code, title = (
        "instrument_needed",
        _("You still owe something, or are using something, and have nothing else to pay from. Add another way first."),
    )


class WalletStays(Refusal):
    """A wallet holds money; it can be put last, and is empty when it is."""

    code, title = "wallet_stays", _("The wallet holds your money and stays. Put it last if you want it used last.")


class TooManyInstruments(Refusal):
    """As many as anybody needs."""

    code, title = "too_many_instruments", _("You have as many ways to pay as there may be. Remove one first.")


class ChooseInstrument(Invalid):
    """There are several, and nobody said which; or the one they said is gone."""

    code, title = "choose_instrument", _("Choose what it is to be taken from.")


class NameInvalid(Invalid):
    """Too long, or not to be shown."""

    code, title = "name_invalid", _("A name has at most 20 characters.")


class LimitInvalid(Invalid):
    """Not an amount, or nothing."""

    code, title = "limit_invalid", _("Enter an amount such as 200 or 99.50, or leave the field empty for no limit.")


class OrderPaused(Refusal):
    """Nothing is collected while a reason stops the order's clock."""

    code, title = "order_paused", _("The order's clock stands still: nothing is collected until it goes on.")


class TooOften(Refusal):
    """The merchant asked to collect this order often enough today."""

    code, status, title, passing = "collect_too_often", 429, _("This order was collected often enough today."), True


class AmountInvalid(Refusal):
    """More than is owed, or nothing."""

    code, status, title = "amount_invalid", 422, _("The amount is not between one cent and what is owed.")
    field = "/amount"


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
    field = "/amount"


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


class PayoutAccountInvalid(Invalid):
    """It cannot be an account; `errors` says what is wrong with it."""

    code, title = "payout_account_invalid", _("This is not an account that money can be sent to.")


class PayoutAccountAsked(Refusal):
    """Another one waits for a second person."""

    code, title = "payout_account_asked", _("Another account waits to be agreed to. Decide that one first.")


class PayoutAccountDecided(Refusal):
    """Somebody was quicker."""

    code, title = "payout_account_decided", _("This was decided already.")


class PayoutAccountOwn(Refusal):
    """It takes two."""

    code, status, title = (
        "payout_account_own",
        403,
        _("You asked for this account yourself: another person must agree."),
    )


class BreakClosed(Refusal):
    """Somebody, or a later file, has settled it."""

    code, title = "break_closed", _("This difference is settled already.")


class BreakInFlight(Busy):
    """It may still turn out to be no difference at all."""

    code, title = "break_in_flight", _("Nobody knows yet how this ended; the channel is asked until it is known.")


class NothingToPost(Refusal):
    """The money is booked, or stands in suspense by a case."""

    code, title = (
        "nothing_to_post",
        _("The book holds no difference to put into suspense: it is booked, or there is a case."),
    )


class KnownAlready(Refusal):
    """The channel was quicker."""

    code, title = "known_already", _("It is known how this ended, or it was never asked for.")


class TooEarlyToSay(Refusal):
    """The channel may still say it."""

    code, title = "too_early_to_say", _("The channel may still say how this ended. After three days colleagues may.")


class TransactionUsed(Refusal):
    """One transaction of a channel's is one movement's, or a case's whose money has its place."""

    code, title = "transaction_used", _("This transaction of the channel belongs to another movement, or to a case.")


class PayoutNotOut(Refusal):
    """Nothing of it can have come back, or that is looked at already."""

    code, title = "payout_not_out", _("This payout has not arrived, or it is said already that it came back.")


class DisputeClosed(Refusal):
    """It is over, or the channel is deciding."""

    code, title = "dispute_closed", _("This dispute is over, or was answered already.")


class EvidenceInvalid(Invalid):
    """Nothing, or more than a channel reads."""

    code, title = "evidence_invalid", _("Say what speaks against it, in at most 2,000 characters.")
    field = "/statement"


class NothingToTakeBack(Refusal):
    """It went back to the person already."""

    code, title = "nothing_to_take_back", _("Nothing of this debit is left that could be taken back.")


class CaseClosed(Refusal):
    """Somebody, or the channel, was quicker."""

    code, title = "case_closed", _("This case is closed already.")


class CaseUnfit(Refusal):
    """Its money cannot go there, or something else is to be done first."""

    code, title = "case_unfit", _("A case of this kind does not end so.")


class NoWallet(Refusal):
    """There is nothing of the person's that it could stand in."""

    code, title = "no_wallet", _("The person has no stored value in this currency.")


class ReturnOpen(Refusal):
    """Goods of this order are on their way back already."""

    code, title = "return_open", _("A return of this order is under way: confirm or refuse it first.")


class ReturnClosed(Refusal):
    """It is decided, or too late to say that."""

    code, title = "return_closed", _("This return is decided already, or it is too late for that.")


class NotReturnable(Refusal):
    """Nothing of it is left to send back, or its time has passed."""

    code, title = "not_returnable", _("Nothing of this order can be sent back any more.")
