"""Which operations of the API's document stand together: those that begin with the same word of the address."""

from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute


class Subjects(ReceiveRoutePlugin):
    """Gives each operation the tag of its subject, by which a reader narrows the page and a program its modules."""

    def receive_route(self, route: BaseRoute) -> None:
        """Called for each route when it has been registered."""
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                handler.tags = [_subject(route.path_format)]


# Rooms with subjects of their own: their operations stand by two words.
_ROOMS = frozenset({"volunteering", "assessments"})


def _subject(path: str) -> str:
    words = [word.partition(".")[0] for word in path.split("/") if word and word != "api" and "{" not in word]
    return " ".join(words[: 2 if words[0] in _ROOMS else 1]) if words else "start"
