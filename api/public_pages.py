"""Pages for whoever opens them, with no sign-in and nothing of it kept."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from api import problem_details
from api.pages import TEMPLATES
from api.sign_in import NOT_KEPT


def page(request: Request[Any, Any, Any], template: str, context: Mapping[str, Any]) -> Response[str]:
    """A page as it is sent: kept by nobody, and without the fragment of the address that it was opened at."""
    language = problem_details.language(request)
    asked = request.query_params.get("lang") == "en"
    text = TEMPLATES.engine_instance.get_template(template).render(
        **context, language=language, english=language == "en", lang="?lang=en" if asked else ""
    )
    return Response(text, media_type="text/html; charset=utf-8", headers=NOT_KEPT)
