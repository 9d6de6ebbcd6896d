"""`python -m tests.bench.bare_answer PORT FILE`: the same bytes for every request, by the framework and server alone.

It is the ceiling of pages that are made once: nothing is looked up, logged, measured, limited or signed in."""

import sys
from pathlib import Path

import uvicorn
from litestar import Litestar, MediaType, Response, get


def app(body: bytes) -> Litestar:
    """An application that answers `/board` with these bytes, compressed already, and says that it is ready."""

    @get("/board", media_type=MediaType.HTML)
    async def board() -> Response[bytes]:
        return Response(body, headers={"Content-Encoding": "gzip"}, media_type=MediaType.HTML)

    @get("/health/ready")
    async def ready() -> dict[str, str]:
        return {}

    return Litestar([board, ready], openapi_config=None, logging_config=None)


if __name__ == "__main__":
    uvicorn.run(
        app(Path(sys.argv[2]).read_bytes()),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="error",
        access_log=False,
    )
