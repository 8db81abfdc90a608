"""Invalid values for any URL or field, as of attackers or broken programs."""

NONSENSE = (
    "\0",
    "充电宝🔋\u202e\u200b",
    "x" * 20_000,
    "9" * 40,
    "-1",
    "٣.٥",
    "0001-01-01T00:00",
    "9999-12-31T23:59",
    "' OR 1=1 --",
    "%_\\",
    "<script>alert(1)</script>",
    "per_" + "f" * 32,
)
