"""A process of its own that divides doors among members, so that the server goes on answering meanwhile.

`python -m api.route_planner` reads one line of JSON, says how far it is on lines of their own, and answers with one. It
has no secret of ours in its environment, and works when nobody else wants to."""

import os
import sys

import msgspec

from surveys.campaigns import route_solver
from surveys.campaigns.route_tasks import Answer, Progress, Task

POLITE = 10  # of 19: whatever else the machine has to do goes first


def main() -> None:
    """Answer once, and end."""
    os.nice(POLITE)
    _say(route_solver.solve(msgspec.json.decode(sys.stdin.buffer.readline(), type=Task), _say))


def _say(what: Progress | Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
