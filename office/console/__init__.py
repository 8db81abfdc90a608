"""Pages of the operations console that span several apps: reports, search, work queues, approvals, detail pages."""
