"""Commands for exports, proofs and erasures."""
