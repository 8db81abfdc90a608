"""Pages for exports, erasure and proofs."""
