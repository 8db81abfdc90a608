"""Refusals of billing: each is an error with a code, an HTTP status and a translated title."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Invalid, Refusal


class NoInstrument(Refusal):
    """The person has no usable instrument."""

    code, title = "no_instrument", _("There is no usable payment method.")


class WalletTooLow(Refusal):
    """The wallet balance is too low for the payment, so no deduction is attempted."""

    code, status, title = "wallet_too_low", 422, _("Insufficient wallet balance.")


class AboveLimits(Refusal):
    """The person's spending limits allow this deduction from none of their instruments today."""

    code, title = "above_limits", _("The person's own spending limits do not allow this deduction today.")


class InstrumentInUse(Busy):
    """A deduction from the instrument is in flight."""

    code, title = "instrument_in_use", _("A deduction from it is in progress. Remove it when the result is known.")


class InstrumentNeeded(Refusal):
    """It is the last instrument, and the person has debts or orders in use."""

    code = "instrument_needed"
    title = _("You have amounts due or services in use and no other payment method. Add another one first.")


class WalletStays(Refusal):
    """A wallet cannot be removed, only moved to the end."""

    code = "wallet_stays"
    title = _("Your wallet holds your money and cannot be removed. Move it to the end if you want it used last.")


class TooManyInstruments(Refusal):
    """The maximum number of instruments per person is reached."""

    code, title = "too_many_instruments", _("You have reached the maximum number of payment methods. Remove one first.")


class ChooseInstrument(Invalid):
    """There are several instruments and none was chosen, or the chosen one is not usable."""

    code, title = "choose_instrument", _("Choose a payment method.")


class NameInvalid(Invalid):
    """The name of an instrument is too long or has unprintable characters."""

    code, title = "name_invalid", _("A name can have up to 20 characters.")


class LimitInvalid(Invalid):
    """A spending limit is not an amount, or zero."""

    code, title = "limit_invalid", _("Enter an amount such as 200 or 99.50, or leave the field empty for no limit.")


class OrderPaused(Refusal):
    """Nothing is deducted while the order is paused."""

    code, title = "order_paused", _("The order is paused: nothing is deducted until it resumes.")


class TooOften(Refusal):
    """The daily number of collection requests for this order is used up."""

    code, status, title, is_transient = (
        "collect_too_often",
        429,
        _("The daily limit of collection requests for this order has been reached."),
        True,
    )


class AmountInvalid(Refusal):
    """The amount is zero, or more than is owed."""

    code, status = "amount_invalid", 422
    title = _("The amount must be greater than zero and no more than the amount due.")
    field = "/amount"


class AmountUnreadable(AmountInvalid):
    """The form's text is not an amount."""

    code, title = "amount_unreadable", _("Enter an amount such as 12.50.")


class AmountChanged(Refusal):
    """The amount the person confirmed is no longer what is owed."""

    code, title = "amount_changed", _("The amount due has changed. Check the new amount before you pay.")


class BadSignature(Refusal):
    """The signature of a callback is invalid."""

    code, status, title = "bad_signature", 401, _("The signature is invalid.")


class ReferenceReused(Refusal):
    """A bank reference belongs to exactly one movement."""

    code, title = "reference_reused", _("This reference was already used for another payment.")


class RefundTooMuch(Refusal):
    """More than what is owed plus what was collected, less earlier refunds."""

    code, status, title = "refund_too_much", 422, _("The amount exceeds what can be refunded for this order.")
    field = "/amount"


class RefundedMeanwhile(Refusal):
    """Something was refunded of the order since the amount was confirmed."""

    code = "refunded_meanwhile"
    title = _("Another refund of this order was made meanwhile. Check the amounts, then submit again.")


class RefundNumberReused(Refusal):
    """The merchant already used this `out_refund_no` for another refund."""

    code = "out_refund_no_reused"
    title = _("This out_refund_no was already used for a refund with different parameters.")


class ChannelOut(Refusal):
    """The outage is already declared."""

    code, title = "channel_out", _("An outage of this channel has already been declared.")


class ChannelNotOut(Refusal):
    """The channel has no declared outage."""

    code, title = "channel_not_out", _("No outage of this channel has been declared.")


class PolicyInvalid(Invalid):
    """A retry policy's terms, name, start or reason is invalid; `errors` says which."""

    code, title = "policy_invalid", _("The policy is invalid and cannot be published.")


class PolicyMoved(Busy):
    """A newer version was published after the author read the policy."""

    code, title = "policy_moved", _("A newer policy version has been published. Review it first.")


class ClockBusy(Busy):
    """Another request is advancing this sandbox's clock; only one may at a time."""

    code, title = "clock_busy", _("The sandbox clock is being advanced; try again shortly.")


class ClockBackwards(Refusal):
    """The sandbox clock only moves forwards."""

    code, status, title = "clock_backwards", 422, _("The clock cannot be moved backwards.")


class ClockTooFar(Refusal):
    """Beyond the limit for one step, or for being ahead of real time."""

    code, status, title = "clock_too_far", 422, _("The clock cannot be advanced that far at once.")


class PayoutAccountInvalid(Invalid):
    """The account details are invalid; `errors` says which."""

    code, title = "payout_account_invalid", _("This is not a valid payout account.")


class PayoutAccountAsked(Refusal):
    """Another account is waiting for approval."""

    code, title = "payout_account_asked", _("Another payout account change is pending. Decide that one first.")


class PayoutAccountDecided(Refusal):
    """Another person already approved or refused it."""

    code, title = "payout_account_decided", _("This has already been decided.")


class PayoutAccountOwn(Refusal):
    """The requester may not approve their own account."""

    code, status = "payout_account_own", 403
    title = _("You requested this account yourself, so another person must approve it.")


class BreakClosed(Refusal):
    """The break is already resolved, by staff or by a later file."""

    code, title = "break_closed", _("This discrepancy has already been resolved.")


class BreakInFlight(Busy):
    """The outcome is still unknown, so there may be no discrepancy."""

    code, title = "break_in_flight", _("The result is not known yet; the channel is queried until it is.")


class NothingToPost(Refusal):
    """The money is already posted, or in suspense because of a case."""

    code = "nothing_to_post"
    title = _("The ledger has no difference to move to suspense: it is already posted, or a case exists.")


class KnownAlready(Refusal):
    """The outcome is already known."""

    code, title = "known_already", _("The result is already known, or it was never sent.")


class TooEarlyToSay(Refusal):
    """The channel may still report the outcome."""

    code, title = (
        "too_early_to_say",
        _("The channel may still answer. Staff can determine the result after three days."),
    )


class TransactionUsed(Refusal):
    """The channel transaction already belongs to another movement or to a case."""

    code, title = "transaction_used", _("This channel transaction belongs to another transfer or a case.")


class PayoutNotOut(Refusal):
    """The payout has not arrived, or its return is already recorded."""

    code, title = "payout_not_out", _("This payout has not arrived, or its return has already been recorded.")


class DisputeClosed(Refusal):
    """The dispute is closed, or the channel is deciding."""

    code, title = "dispute_closed", _("This dispute is closed or has already been answered.")


class EvidenceInvalid(Invalid):
    """The evidence is empty or too long."""

    code, title = "evidence_invalid", _("Enter an evidence statement within the length limit.")
    field = "/statement"


class NothingToTakeBack(Refusal):
    """All of the deduction already went back to the person."""

    code, title = "nothing_to_take_back", _("Nothing of this deduction is left to return.")


class CaseClosed(Refusal):
    """The case is already closed, by staff or by the channel."""

    code, title = "case_closed", _("This case is already closed.")


class CaseUnfit(Refusal):
    """The resolution does not apply to this case, or something else has to happen first."""

    code, title = "case_unfit", _("This resolution does not apply to this type of case.")


class NoWallet(Refusal):
    """The person has no wallet in this currency."""

    code, title = "no_wallet", _("The customer has no wallet in this currency.")
