"""`python -m bnpl.stack`: the whole platform in the foreground, until Ctrl-C."""

import http.client
import os
import sys

from bnpl.stack import banner
from bnpl.stack.config import build_config, home_dir, parse_port
from bnpl.stack.console import Console
from bnpl.stack.home import Home, lock_home, port_is_free
from bnpl.stack.runtime_dirs import CannotStartError, choose_runtime_dirs
from bnpl.stack.setup import Setup
from bnpl.stack.supervisor import StoppingError, Supervisor

READY_PATIENCE_SECONDS = 90.0
PORT_PATIENCE_SECONDS = 4.0  # after a kill -9 of the stack, its web process needs a moment to end


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
    """Set up and start everything, in parallel where possible, and supervise it until it is stopped."""
    dirs = choose_runtime_dirs(home.folder)
    if dirs.state != home.folder:
        console.say(f"the database lies in {dirs.state}: as root it runs as nobody, who cannot reach {home.folder}")
    config = build_config(home, dirs, port)
    setup = Setup(console, supervisor, home, config)
    setup.start_database()
    setup.start_broker()
    with console.step("everything is ready"):
        supervisor.start_service(config.worker())
        collecting = setup.collect_static()
        setup.await_database()
        preparing = setup.prepare_schema()
        setup.finish("static files (collectstatic)", collecting, static=setup.static)
        supervisor.start_service(config.web())
        setup.finish("tables and rights (migrate, grant)", preparing, schema=setup.schema)
        setup.create_demo_data()
        supervisor.wait_until(lambda: ready(port), READY_PATIENCE_SECONDS, "The platform is not ready after 90 s.")
    supervisor.start_service(config.clerk())
    supervisor.start_service(config.courier())
    supervisor.start_service(config.beat())  # last, so that workers take its first triggers
    for line in banner.banner_lines(config.env["BASE_URL"], home.read("demo.json"), console.seconds()):
        console.say(line)
    supervisor.watch()


def main() -> int:
    console = Console()
    supervisor = Supervisor(console)
    supervisor.install_signal_handlers()
    try:
        port = parse_port(os.environ)
        home = lock_home(home_dir(os.environ), f"http://127.0.0.1:{port}")
        try:
            taken = f"Port {port} is taken by another program; name a free one: make up PORT=8001."
            supervisor.wait_until(lambda: port_is_free(port), PORT_PATIENCE_SECONDS, taken)
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
