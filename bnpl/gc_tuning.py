"""Garbage collection of a long-running process: what is loaded at its start stays to its end."""

import gc

#: Python's thresholds are 700, 10, 10: allocations beyond deallocations before the youngest generation is collected,
#: and collections of one generation before the next is.
GC_THRESHOLDS = (50_000, 20, 50)


def freeze_loaded_objects() -> None:
    """Exclude all objects of now from garbage collection, and collect new ones less often.

    A request or a batch makes thousands of rows that reference counting frees; with the default thresholds everything
    would be traversed dozens of times meanwhile. Memory frozen before a fork also stays shared with the children.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
