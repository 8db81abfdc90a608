"""Templates must not ask an object for an attribute its class does not have: Django would show nothing instead."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

import pytest
from django.db.models import Model
from django.template.base import Variable, VariableDoesNotExist


@pytest.fixture(scope="session", autouse=True)
def strict_templates() -> Iterator[None]:
    """Missing attributes of models and dataclasses raise; missing variables and dict keys are empty, as ever."""
    lenient = Variable._resolve_lookup  # noqa: SLF001  there is no other hook

    def strict(self: Variable, context: Any) -> Any:
        try:
            return lenient(self, context)
        except VariableDoesNotExist as missing:
            name, owner = (*missing.params, None, None)[:2]
            if isinstance(owner, Model) or is_dataclass(owner):
                raise AssertionError(f"{type(owner).__name__} has no {name!r}: {self.var}") from missing
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Variable, "_resolve_lookup", strict)
        yield
