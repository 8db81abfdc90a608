"""What a process has loaded when it begins to work stays to its end."""

import gc

#: So many things more come to life than go before the youngest are looked through; then the older, ever more rarely.
THRESHOLDS = (50_000, 20, 50)


def keep() -> None:
    """Nobody looks for garbage among what is loaded by now, and less often among what comes.

    A request or a batch makes thousands of rows that go by themselves; Python's own measure would look through
    everything dozens of times meanwhile. What is frozen before a fork is also shared by the children for longer.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
