"""A form that was open while others saved changes only the fields its user changed."""

from typing import Any

import pytest
from django.test import Client

from merchants import services as merchants
from merchants.models import Change, Service, WebhookEndpoint
from tests.browsing import form_token, initial_values
from tests.conftest import BY, NOON
from tests.portal.conftest import Company
from tests.portal.page_fixtures import HOOK
from tests.unchanged import assert_unchanged


def as_shown(client: Client, page: str) -> dict[str, Any]:
    """What a browser sends of a form that nobody typed into."""
    answer = client.get(page)
    filled = {field.name: field.value() for field in answer.context["form"]}
    ticked = {name: "on" for name, value in filled.items() if value is True}
    typed = {name: value for name, value in filled.items() if not isinstance(value, bool)}
    return {"token": form_token(answer), **initial_values(answer), **typed, **ticked}


def test_what_others_changed_of_a_service_meanwhile_stays(firm: Company) -> None:
    first, second = firm.browser("owner"), firm.browser("developer")
    page = f"{firm.at('test')}services/{firm.shop.service.public_id}"
    one, other = as_shown(first, page), as_shown(second, page)
    assert first.post(page, one | {"ceiling": "50", "score_min": "600"}).status_code == 302
    assert second.post(page, other | {"description": "五小时内免费"}).status_code == 302
    now = Service.objects.get(pk=firm.shop.service.pk)
    assert (now.ceiling_minor, now.score_min, now.description) == (5000, 600, "五小时内免费")
    log = Change.objects.filter(verb="service_changed").values_list("data", flat=True).order_by("id")
    assert list(log) == [{"ceiling_minor": 5000, "score_min": 600}, {"description": "五小时内免费"}]


def test_a_form_that_was_refused_still_knows_how_it_was_shown(firm: Company) -> None:
    client, page = firm.browser("owner"), f"{firm.at('test')}services/{firm.shop.service.public_id}"
    sent = as_shown(client, page)
    merchants.change_service(firm.shop.merchant.id, firm.shop.service.id, {"score_min": 600}, by=BY, at=NOON)
    refused = client.post(page, sent | {"ceiling": "0"})
    assert refused.status_code == 422
    again = sent | {"ceiling": "50", "token": form_token(refused), **initial_values(refused)}
    assert client.post(page, again).status_code == 302
    now = Service.objects.get(pk=firm.shop.service.pk)
    assert (now.ceiling_minor, now.score_min) == (5000, 600)


@pytest.mark.parametrize("page", ["services/{}", "webhooks/{}/change"])
def test_a_form_that_comes_back_as_it_was_changes_nothing(firm: Company, page: str) -> None:
    hook, _secret = merchants.add_endpoint(firm.shop.merchant.id, HOOK, event_types=["order.*"], by=BY, at=NOON)
    about = firm.shop.service if "services" in page else hook
    client, address = firm.browser("owner"), firm.at("test") + page.format(about.public_id)
    sent = as_shown(client, address)
    with assert_unchanged("kernel_idempotencykey", "django_session"):
        assert client.post(address, sent).status_code == 302


def test_describing_an_endpoint_that_was_switched_off_meanwhile_does_not_switch_it_on(firm: Company) -> None:
    hook, _secret = merchants.add_endpoint(firm.shop.merchant.id, HOOK, event_types=["order.*"], by=BY, at=NOON)
    client, page = firm.browser("developer"), f"{firm.at('test')}webhooks/{hook.public_id}/change"
    sent = as_shown(client, page)
    merchants.change_endpoint(firm.shop.merchant.id, hook.id, {"state": "disabled"}, by=BY, at=NOON)
    assert client.post(page, sent | {"description": "收银台"}).status_code == 302
    now = WebhookEndpoint.objects.get(pk=hook.pk)
    assert (now.state, now.description, now.event_types) == ("disabled", "收银台", ["order.*"])
