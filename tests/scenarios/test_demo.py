import pytest

from bnpl import demo
from kernel.clock import live_now
from orders.models import Order


@pytest.mark.django_db
def test_the_demo_tells_nine_stories_and_leaves_a_sound_book() -> None:
    made = demo.create_demo(live_now())

    told = made.to_json("http://127.0.0.1:8000")
    assert [len(told[name]) for name in ("merchants", "people", "staff")] == [6, 9, 8]
    assert {m["mode"]: bool(m["secret_key"]) for m in told["merchants"]} == {"test": True, "live": False}
    stories = {
        person.reveal_name(): sorted(Order.objects.filter(person=person).values_list("state", flat=True))
        for person in made.people
    }
    assert stories == {
        "艾达": ["deducted", "deducted", "open"],
        "博文": ["completed"],
        "陈晨": ["completed"],
        "段欣": ["overdue"],
        "方圆": ["deducted"],
        "顾言": ["completed"],
        "何静": ["created", "deducted"],
        "贾明": ["cancelled", "deducted", "open"],
        "康宁": ["deducted", "deducted"],
    }
