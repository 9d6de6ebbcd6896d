"""Models over HTTP: proposed by who looks after volunteers, approved by an administrator who is another."""

from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.people.people import District, Reader
from surveys.volunteering import models
from surveys.volunteering.models import Model, ModelDecision, ModelDraft


class Models(Struct, frozen=True):
    """All that were proposed, those that wait first."""

    items: list[Model]


class ModelAt(Struct, frozen=True, kw_only=True):
    """A model, and the version at which it stands now."""

    id: UUID
    version: int


@get("/api/models", opt={REFUSES: (422,)}, summary="List models")
async def list_models(
    request: Request[Reader, Any, Any], conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]
) -> Models:
    """Those that were proposed as models, and what became of each."""
    refuse_unfit(request, ("lang",))
    return Models(await models.looked_after(conn, reader))


@post(
    "/api/models",
    dto=JsonBody[ModelDraft],
    return_dto=None,
    status_code=201,
    summary="Propose a model",
    opt={REFUSES: (409,)},
)
async def propose_model(
    data: JSONBody[ModelDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> ModelAt:
    """Propose a team, a volunteer whose name is public, a member or an organisation; a retry gets its first answer."""
    return ModelAt(id=data.id, version=await models.propose(conn, reader, data, district.zone, clock()))


@post(
    "/api/models/{model:uuid}/decisions",
    dto=JsonBody[ModelDecision],
    return_dto=None,
    status_code=200,
    summary="Approve, decline or take off a model",
    opt={REFUSES: (409,)},
)
async def decide_model(
    data: JSONBody[ModelDecision],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    model: FromPath[UUID],
) -> ModelAt:
    """Let a model onto the public board, decline it, or take it off; a retry gets its first answer."""
    return ModelAt(id=model, version=await models.decide(conn, reader, model, data, clock()))


ROUTES = [list_models, propose_model, decide_model]
