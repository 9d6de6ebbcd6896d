"""Campaigns over HTTP: made, changed and closed by who looks after their organisations, read by everybody at doors."""

from typing import Annotated, Any

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.campaigns import campaign_changes, campaigns
from surveys.campaigns.campaign_changes import CampaignChange, CampaignDraft, Changed, Closing
from surveys.campaigns.campaigns import CampaignDetail, CampaignPage, State
from surveys.people.people import District, Reader

MOST = 200  # of one page


@get("/api/campaigns", summary="Campaigns")
async def list_campaigns(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    states: Annotated[list[State] | None, QueryParameter(name="state")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> CampaignPage:
    """The district's campaigns, the latest to begin first; those that are over or closed among them."""
    refuse_unfit(request, ("state", "limit", "cursor", "total"))
    return await campaigns.page(
        conn, reader, district.zone, clock(), states=states or (), limit=limit, cursor=cursor, total=total
    )


@post(
    "/api/campaigns",
    dto=JsonBody[CampaignDraft],
    return_dto=None,
    status_code=201,
    summary="Make a campaign",
)
async def make_campaign(
    data: JSONBody[CampaignDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Changed:
    """Make a campaign; a retry is answered as the first time."""
    return await campaign_changes.make(conn, reader, data, clock())


@get("/api/campaigns/{campaign:str}", summary="One campaign")
async def read_campaign(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
) -> CampaignDetail:
    """One campaign with its history."""
    return await campaigns.one(conn, reader, campaign, district.zone, clock())


@post(
    "/api/campaigns/{campaign:str}/changes",
    dto=JsonBody[CampaignChange],
    return_dto=None,
    status_code=200,
    summary="Change a campaign",
)
async def change_campaign(
    data: JSONBody[CampaignChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
) -> Changed:
    """Change what a campaign says; what is left out stays as it is."""
    return await campaign_changes.change(conn, reader, campaign, data, clock())


@post(
    "/api/campaigns/{campaign:str}/close",
    dto=JsonBody[Closing],
    return_dto=None,
    status_code=200,
    summary="Close a campaign",
)
async def close_campaign(
    data: JSONBody[Closing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
) -> Changed:
    """Close a campaign: it stays to be read, and nothing more is assigned in it."""
    return await campaign_changes.close(conn, reader, campaign, data, clock())


ROUTES = [list_campaigns, make_campaign, read_campaign, change_campaign, close_campaign]
