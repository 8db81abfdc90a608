"""Commands of the operations console: tallies, exports, dual approval, queue assignment, onboarding, offboarding."""
