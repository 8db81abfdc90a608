"""The README's first order works as written; the clock is moved where a worker would run the deduction."""

import re
import shutil
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from billing.services.sandbox_clock import Mode, set_clock
from bnpl import story
from kernel.clock import live_now
from tests.conftest import BY, make_shop
from tests.guide.test_snippets import FENCE, SHELL, run

README = Path(__file__).resolve().parents[2] / "README.md"
SAYS = re.compile(r"field '\[\"state\"\]'\s+# (\w+)$", re.MULTILINE)
A_MOMENT = "sleep 3"
PASSES = """bnpl $BNPL/sandbox/clock/advance -d '{"by": "PT1M"}' > /dev/null"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_first_order_of_the_readme_is_paid(live_server: LiveServer, tmp_path: Path) -> None:
    chapter = README.read_text(encoding="utf-8").partition("## The first order, with curl")[2].partition("\n## ")[0]
    script = "\n".join(text for _kind, text in FENCE.findall(chapter))
    told = SAYS.findall(script)
    assert told == ["active", "completed", "deducted"]
    assert script.count(A_MOMENT) == 1
    script = re.sub(r"^(BNPL|KEY)=.*\n", "", script, flags=re.MULTILINE).replace(A_MOMENT, PASSES)
    shop = make_shop("来电充电宝")

    printed = run([SHELL, "-c", f"set -eu\n{script}"], tmp_path, BNPL=f"{live_server.url}/v1", KEY=shop.secret)

    assert printed[:3] == told
    assert '"type": "order.opened",' in [line.strip() for line in printed]


@pytest.mark.django_db(transaction=True)
def test_a_story_on_a_frozen_clock_fails_at_once(live_server: LiveServer) -> None:
    shop = make_shop("来电充电宝")
    set_clock(shop.realm_id, mode=Mode.FROZEN, now=None, by=BY, real=live_now())
    with pytest.raises(story.StoryFailed, match=r"frozen.*running"):
        story.require_running_clock(story.StoryClient(live_server.url, shop.secret, lambda _line: None))
