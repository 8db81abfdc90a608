"""What one writes first, with the same guarantees: a Django project of its own, which the platform never imports.

A key looked up, a repeat answered once, the limit held on a locked row, the order, its event and its outbox row in one
durable transaction: by DRF's ModelSerializers and the ORM, as tutorials have it. Nothing in it is slow on purpose.
"""
