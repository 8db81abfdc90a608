"""`python -m bnpl.stack`: the whole platform in the foreground, until Ctrl-C."""

import http.client
import os
import sys

from bnpl.stack import banner
from bnpl.stack.console import Console
from bnpl.stack.home import Home, enter, port_is_free
from bnpl.stack.place import CannotStartError, choose
from bnpl.stack.plan import draw, home_folder, port_of
from bnpl.stack.setup import Setup
from bnpl.stack.supervisor import StoppingError, Supervisor

READY_PATIENCE_SECONDS = 90.0
PORT_PATIENCE_SECONDS = 4.0  # after a kill -9 of ours alone, the web of before needs a moment to go


def ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def run(console: Console, supervisor: Supervisor, home: Home, port: int) -> None:
    """Whatever can run side by side does: two cores halve the wait. Nothing is ready before its tables are."""
    place = choose(home.folder)
    if place.state != home.folder:
        console.say(f"the database lies in {place.state}: as root it runs as nobody, who cannot reach {home.folder}")
    plan = draw(home, place, port)
    setup = Setup(console, supervisor, home, plan)
    setup.start_database()
    setup.start_broker()
    with console.step("everything is ready"):
        supervisor.launch(plan.worker())
        collecting = setup.collect()
        setup.await_database()
        preparing = setup.prepare()
        setup.finish("static files (collectstatic)", collecting, static=setup.static)
        supervisor.launch(plan.web())
        setup.finish("tables and rights (migrate, grant)", preparing, schema=setup.schema)
        setup.demonstrate()
        supervisor.wait(lambda: ready(port), READY_PATIENCE_SECONDS, "The platform is not ready after 90 s.")
    supervisor.launch(plan.clerk())
    supervisor.launch(plan.courier())
    supervisor.launch(plan.beat())  # last: its first ticks find everybody there
    for line in banner.lines(plan.env["BASE_URL"], home.read("demo.json"), console.seconds()):
        console.say(line)
    supervisor.watch()


def main() -> int:
    console = Console()
    supervisor = Supervisor(console)
    supervisor.listen()
    try:
        port = port_of(os.environ)
        home = enter(home_folder(os.environ), f"http://127.0.0.1:{port}")
        try:
            taken = f"Port {port} is taken by another program; name a free one: make up PORT=8001."
            supervisor.wait(lambda: port_is_free(port), PORT_PATIENCE_SECONDS, taken)
            run(console, supervisor, home, port)
        finally:
            supervisor.stop()
            home.lock.close()
    except StoppingError:
        pass
    except CannotStartError as reason:
        console.say(f"Cannot start. {reason}")
        return 1
    console.say("Stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
