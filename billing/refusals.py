"""What may be wrong with asking for money."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Invalid, Refusal


class NoInstrument(Refusal):
    """There is nothing to take the money from."""

    code, title = "no_instrument", _("There is no usable payment method.")


class WalletTooLow(Refusal):
    """The wallet does not hold what its person wants to pay from it; asked, it would only say no."""

    code, status, title = "wallet_too_low", 422, _("Insufficient wallet balance.")


class AboveLimits(Refusal):
    """The person's own limits do not let this be taken from anything they have, or not today."""

    code, title = "above_limits", _("The person's own spending limits do not allow this deduction today.")


class InstrumentInUse(Busy):
    """A deduction from it is under way."""

    code, title = "instrument_in_use", _("A deduction from it is in progress. Remove it when the result is known.")


class InstrumentNeeded(Refusal):
    """There is nothing else to take from what is owed, or will be."""

    code = "instrument_needed"
    title = _("You have amounts due or services in use and no other payment method. Add another one first.")


class WalletStays(Refusal):
    """A wallet holds money; it can be put last, and is empty when it is."""

    code = "wallet_stays"
    title = _("Your wallet holds your money and cannot be removed. Move it to the end if you want it used last.")


class TooManyInstruments(Refusal):
    """As many as anybody needs."""

    code, title = "too_many_instruments", _("You have reached the maximum number of payment methods. Remove one first.")


class ChooseInstrument(Invalid):
    """There are several, and nobody said which; or the one they said is gone."""

    code, title = "choose_instrument", _("Choose a payment method.")


class NameInvalid(Invalid):
    """Too long, or not to be shown."""

    code, title = "name_invalid", _("A name can have up to 20 characters.")


class LimitInvalid(Invalid):
    """Not an amount, or nothing."""

    code, title = "limit_invalid", _("Enter an amount such as 200 or 99.50, or leave the field empty for no limit.")


class OrderPaused(Refusal):
    """Nothing is collected while a reason stops the order's clock."""

    code, title = "order_paused", _("The order is paused: nothing is deducted until it resumes.")


class TooOften(Refusal):
    """The merchant asked to collect this order often enough today."""

    code, status, title, passing = (
        "collect_too_often",
        429,
        _("The daily limit of collection requests for this order has been reached."),
        True,
    )


class AmountInvalid(Refusal):
    """More than is owed, or nothing."""

    code, status = "amount_invalid", 422
    title = _("The amount must be greater than zero and no more than the amount due.")
    field = "/amount"


class AmountChanged(Refusal):
    """What the person agreed to pay is not what is owed now."""

    code, title = "amount_changed", _("The amount due has changed. Check the new amount before you pay.")


class BadSignature(Refusal):
    """A callback that the channel did not sign."""

    code, status, title = "bad_signature", 401, _("The signature is invalid.")


class ReferenceReused(Refusal):
    """A bank's reference names one movement for ever."""

    code, title = "reference_reused", _("This reference was already used for another payment.")


class RefundTooMuch(Refusal):
    """More than is owed and was collected, less what went back before."""

    code, status, title = "refund_too_much", 422, _("The amount exceeds what can be refunded for this order.")
    field = "/amount"


class RefundNumberReused(Refusal):
    """`out_refund_no` names another refund of this merchant."""

    code = "out_refund_no_reused"
    title = _("This out_refund_no was already used for a refund with different parameters.")


class ChannelOut(Refusal):
    """Somebody declared it before."""

    code, title = "channel_out", _("An outage of this channel has already been declared.")


class ChannelNotOut(Refusal):
    """Somebody said before that it is back, or it never was out."""

    code, title = "channel_not_out", _("No outage of this channel has been declared.")


class PolicyInvalid(Invalid):
    """A retry policy's terms, name, day or reason are not what they can be; `errors` says which."""

    code, title = "policy_invalid", _("The policy is invalid and cannot be published.")


class PolicyMoved(Busy):
    """Whoever wrote this version had read an older one."""

    code, title = "policy_moved", _("A newer policy version has been published. Review it first.")


class ClockBusy(Busy):
    """Somebody is moving this sandbox's clock on, and it is moved by one at a time."""

    code, title = "clock_busy", _("The sandbox clock is being advanced; try again shortly.")


class ClockBackwards(Refusal):
    """What has happened has happened: no time of it comes again."""

    code, status, title = "clock_backwards", 422, _("The clock cannot be moved backwards.")


class ClockTooFar(Refusal):
    """Further than one step may go, or than a sandbox may be ahead of real time."""

    code, status, title = "clock_too_far", 422, _("The clock cannot be advanced that far at once.")


class PayoutAccountInvalid(Invalid):
    """It cannot be an account; `errors` says what is wrong with it."""

    code, title = "payout_account_invalid", _("This is not a valid payout account.")


class PayoutAccountAsked(Refusal):
    """Another one waits for a second person."""

    code, title = "payout_account_asked", _("Another payout account change is pending. Decide that one first.")


class PayoutAccountDecided(Refusal):
    """Somebody was quicker."""

    code, title = "payout_account_decided", _("This has already been decided.")


class PayoutAccountOwn(Refusal):
    """It takes two."""

    code, status = "payout_account_own", 403
    title = _("You requested this account yourself, so another person must approve it.")


class BreakClosed(Refusal):
    """Somebody, or a later file, has settled it."""

    code, title = "break_closed", _("This discrepancy has already been resolved.")


class BreakInFlight(Busy):
    """It may still turn out to be no difference at all."""

    code, title = "break_in_flight", _("The result is not known yet; the channel is queried until it is.")


class NothingToPost(Refusal):
    """The money is booked, or stands in suspense by a case."""

    code = "nothing_to_post"
    title = _("The ledger has no difference to move to suspense: it is already posted, or a case exists.")


class KnownAlready(Refusal):
    """The channel was quicker."""

    code, title = "known_already", _("The result is already known, or it was never sent.")


class TooEarlyToSay(Refusal):
    """The channel may still say it."""

    code, title = (
        "too_early_to_say",
        _("The channel may still answer. Staff can determine the result after three days."),
    )


class TransactionUsed(Refusal):
    """One transaction of a channel's is one movement's, or a case's whose money has its place."""

    code, title = "transaction_used", _("This channel transaction belongs to another transfer or a case.")


class PayoutNotOut(Refusal):
    """Nothing of it can have come back, or that is looked at already."""

    code, title = "payout_not_out", _("This payout has not arrived, or its return has already been recorded.")


class DisputeClosed(Refusal):
    """It is over, or the channel is deciding."""

    code, title = "dispute_closed", _("This dispute is closed or has already been answered.")


class EvidenceInvalid(Invalid):
    """Nothing, or more than a channel reads."""

    code, title = "evidence_invalid", _("Enter an evidence statement of up to 2,000 characters.")
    field = "/statement"


class NothingToTakeBack(Refusal):
    """It went back to the person already."""

    code, title = "nothing_to_take_back", _("Nothing of this deduction is left to return.")


class CaseClosed(Refusal):
    """Somebody, or the channel, was quicker."""

    code, title = "case_closed", _("This case is already closed.")


class CaseUnfit(Refusal):
    """Its money cannot go there, or something else is to be done first."""

    code, title = "case_unfit", _("This resolution does not apply to this type of case.")


class NoWallet(Refusal):
    """There is nothing of the person's that it could stand in."""

    code, title = "no_wallet", _("The customer has no wallet in this currency.")


class ReturnOpen(Refusal):
    """Goods of this order are on their way back already."""

    code, title = "return_open", _("A return for this order is in progress; confirm or refuse it first.")


class ReturnClosed(Refusal):
    """It is decided, or too late to say that."""

    code, title = "return_closed", _("This return has already been decided, or the deadline has passed.")


class NotReturnable(Refusal):
    """Nothing of it is left to send back, or its time has passed."""

    code, title = "not_returnable", _("This order can no longer be returned.")
