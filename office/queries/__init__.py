"""Read queries of the operations console: reports, search, queues, worklist, proposals and detail pages."""
