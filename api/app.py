"""The one place where everything is put together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import structlog
from litestar import Litestar, Request
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.middleware import DefineMiddleware

from api import (
    account,
    answer_exports,
    assessments,
    assignments,
    audit,
    auth,
    campaign_pages,
    campaigns,
    cards,
    categories,
    colleagues,
    communities,
    contacts,
    coverage,
    coverage_page,
    dashboard_pages,
    dashboards,
    database,
    day,
    desk,
    devices,
    exports,
    figure_exports,
    first_access,
    health,
    imports,
    integrations,
    issues,
    jobs,
    key_ring,
    made_file_pages,
    made_files,
    maps,
    members,
    metrics,
    notices,
    office_hours,
    ogc,
    open311,
    openrosa,
    openrosa_answers,
    organisations,
    pages,
    people_pages,
    phone_client,
    photos,
    places,
    premises,
    premises_pages,
    problem_details,
    questionnaire_pages,
    questionnaires,
    rates,
    report_page,
    reports,
    resident_page,
    residents,
    return_visits,
    second_factor,
    sign_in,
    tiles,
    twins,
    uploads,
    views,
    visits,
    volunteering,
    webhooks,
    xlsform_maker,
)
from api import settings as settings_
from api.assessments import instrument_maker
from api.attachments import Attachments
from api.auth import Authentication, Clock, Readers
from api.documented_problems import Problems
from api.documented_subjects import Subjects
from api.documented_types import Tuples
from api.entrance import Entrance, PasswordChecks
from api.exports import Exports
from api.filing import FilingQueue, Numbers
from api.key_ring import Followed
from api.limits import USUAL_BODY, Limits, Patience
from api.logs import RequestLog
from api.openapi_examples import Examples
from api.route_plans import RoutePlans
from api.settings import Settings
from maps.locator import Atlas
from surveys.counting.kept_columns import KeptColumns
from surveys.people import people
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound

log = structlog.get_logger()

FOLLOW_KEYS_S = 1
FOLLOW_BOUNDARIES_S = 0.5  # with a second to build the largest locator, every process follows within two

ROUTES: list[Any] = [
    *sign_in.ROUTES,
    *first_access.ROUTES,
    *second_factor.ROUTES,
    *account.ROUTES,
    *devices.ROUTES,
    *day.ROUTES,
    *campaigns.ROUTES,
    *assignments.ROUTES,
    *campaign_pages.ROUTES,
    *visits.ROUTES,
    *openrosa.ROUTES,
    *ogc.ROUTES,
    *open311.ROUTES,
    *integrations.ROUTES,
    *issues.ROUTES,
    *twins.ROUTES,
    *return_visits.ROUTES,
    *photos.ROUTES,
    *uploads.ROUTES,
    *exports.ROUTES,
    *figure_exports.ROUTES,
    *made_files.ROUTES,
    *made_file_pages.ROUTES,
    *questionnaires.ROUTES,
    *questionnaire_pages.ROUTES,
    *answer_exports.ROUTES,
    *audit.ROUTES,
    *jobs.ROUTES,
    *notices.ROUTES,
    *webhooks.ROUTES,
    *contacts.ROUTES,
    *residents.ROUTES,
    *office_hours.ROUTES,
    *organisations.ROUTES,
    *members.ROUTES,
    *colleagues.ROUTES,
    *people_pages.ROUTES,
    *premises.ROUTES,
    *premises_pages.ROUTES,
    *places.ROUTES,
    *views.ROUTES,
    *imports.ROUTES,
    *cards.ROUTES,
    *categories.ROUTES,
    *resident_page.ROUTES,
    *communities.ROUTES,
    *maps.ROUTES,
    *tiles.ROUTES,
    *rates.ROUTES,
    *desk.ROUTES,
    *reports.ROUTES,
    *report_page.ROUTES,
    *coverage.ROUTES,
    *coverage_page.ROUTES,
    *dashboards.ROUTES,
    *dashboard_pages.ROUTES,
    *volunteering.ROUTES,
    *assessments.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
    *phone_client.ROUTES,
    *pages.ROUTES,
]


def utc_now() -> datetime:
    """The program's only clock."""
    return datetime.now(UTC)


def create_app(
    settings: Settings | None = None,
    clock: Clock = utc_now,
    ring: KeyRing | None = None,
    *,
    working: bool = False,
) -> Litestar:
    """The program as an ASGI application; settings come from the environment and the key ring from its file unless
    they are given. With `working` it runs the background jobs too, while it serves."""
    settings = settings or settings_.read()
    app = Litestar(
        route_handlers=ROUTES,
        lifespan=[
            _holding_keys(settings, ring),
            _running(settings, clock),
            *([_working(settings, clock)] if working else []),
        ],
        dependencies=_dependencies(settings, clock),
        middleware=[DefineMiddleware(Patience, settings=settings), Authentication],
        exception_handlers=problem_details.HANDLERS,
        compression_config=CompressionConfig(
            backend="gzip",
            minimum_size=1_000,
            gzip_compress_level=5,
            exclude=[r"/photos/", r"^/phone/"],
            exclude_opt_key=exports.ITSELF_COMPRESSED,
        ),
        openapi_config=pages.OPENAPI,
        plugins=[Problems(), Subjects(), Examples(), Tuples()],
        template_config=pages.TEMPLATES,
        before_send=[pages.add_security_headers, uploads.add_headers, openrosa_answers.add_headers],
        request_max_body_size=USUAL_BODY,
        logging_config=None,  # the framework would replace what api/logs.py has set up
        state=State(
            {
                "settings": settings,
                "clock": clock,
                "limits": Limits(settings, clock),
                "fronts": resident_page.Fronts(clock),
                "form_maker": xlsform_maker.Maker(),
                "instrument_maker": instrument_maker.Maker(),
                "metrics": metrics.Metrics(),
            }
        ),
    )
    app.asgi_handler = metrics.Measured(app.asgi_handler, app.state.metrics, app.state)
    app.asgi_handler = RequestLog(app.asgi_handler)  # outermost, so that refusals before any route have an id as well
    return app


def _dependencies(settings: Settings, clock: Clock) -> dict[str, Provide]:
    """What handlers may ask for by name; `conn` must stay the only generator."""
    return {
        "conn": Provide(database.transaction),
        "reader": Provide(auth.reader),
        "district": Provide(_district),
        "filters": Provide(issues.filters),
        "door_filters": Provide(premises.door_filters),
        "visit_filters": Provide(visits.visit_filters),
        "place_filters": Provide(places.place_filters),
        "asked_history": Provide(audit.asked),
        "clock": Provide(lambda: clock, sync_to_thread=False),
        "settings": Provide(lambda: settings, sync_to_thread=False),
        "ring": Provide(_of_state("ring"), sync_to_thread=False),
        "atlas": Provide(_of_state("atlas"), sync_to_thread=False),
        "filing_queue": Provide(_of_state("filing_queue"), sync_to_thread=False),
        "exports": Provide(_of_state("exports"), sync_to_thread=False),
        "attachments": Provide(_of_state("attachments"), sync_to_thread=False),
        "entrance": Provide(_of_state("entrance"), sync_to_thread=False),
    }


def _of_state(name: str) -> Callable[[State], Any]:
    def from_state(state: State) -> Any:
        return state[name]

    return from_state


async def _district(conn: NamedDependency[asyncpg.Connection], request: Request[Reader, Any, Any]) -> District:
    """The reader's district."""
    found = await people.district(conn, request.user.district)
    if found is None:
        raise NotFound
    return found


def _holding_keys(settings: Settings, ring: KeyRing | None) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def holding(app: Litestar) -> AsyncIterator[None]:
        """The key ring, for as long as the program serves: the one given, or the one that its file holds by then."""
        if ring is not None:
            app.state.ring = ring
            yield
            return
        followed = key_ring.Followed(settings)
        app.state.ring = followed.ring
        following = asyncio.create_task(_follow_keys(app, followed))
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    return holding


async def _follow_keys(app: Litestar, followed: Followed) -> None:
    """Take up a ring to which a key was added, or from which one was taken, soon after."""
    while True:
        await asyncio.sleep(FOLLOW_KEYS_S)
        try:
            if followed.changed():
                app.state.ring = followed.ring
                log.info("key_ring_taken_up", keys=sorted(followed.ring.keys))
        except key_ring.KeyRingError as error:  # the ring that we have goes on opening and sealing
            log.warning("key_ring_not_followed", error=str(error))


def _running(settings: Settings, clock: Clock) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        """Pools, boundaries and the filing queue, for as long as the program serves."""
        dsn = settings.database_url or ""
        columns = KeptColumns(partial(database.connected, dsn), settings.columns_megabytes, tell=log.info)
        async with (
            await database.open_pool(dsn, most=settings.pool_size, plan_each=True, issue_columns=columns) as pool,
            await database.open_pool(dsn, most=2 * settings.filing_connections) as filing_pool,  # half for backlogs
            await database.open_pool(dsn, most=resident_page.CONNECTIONS) as card_pool,
        ):
            atlas = Atlas()
            async with database.acquired(pool) as conn:
                await atlas.refresh(conn)
            numbers = Numbers()
            queue = FilingQueue(filing_pool, atlas, numbers, clock, settings.filing_queue)
            readers = Readers(pool, clock, timedelta(minutes=settings.session_idle_minutes))
            checks = PasswordChecks(settings.password_checks)
            entrance = Entrance(app.state, settings, clock)
            app.state.update({"password_checks": checks, "entrance": entrance})
            app.state.update({"card_pool": card_pool})
            app.state.update({"pool": pool, "readers": readers, "atlas": atlas, "filing_queue": queue})
            attachments = Attachments(pool, settings, clock)
            app.state.update({"exports": Exports(settings, clock), "attachments": attachments, "numbers": numbers})
            plans = RoutePlans(pool, clock)
            app.state.update({"route_plans": plans})
            queue.start(settings.filing_connections)
            app.state.metrics.look(app.state)  # before anybody asks this process: another may answer for all
            following = asyncio.create_task(_follow_boundaries(pool, atlas))
            try:
                yield
            finally:
                await queue.close()
                await attachments.close()
                await plans.close()
                await columns.close()
                await readers.close()
                checks.close()
                following.cancel()
                with suppress(asyncio.CancelledError):
                    await following

    return running


def _working(settings: Settings, clock: Clock) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def working(app: Litestar) -> AsyncIterator[None]:
        """The background jobs, for as long as the program serves; one under way is broken off, and nothing of it
        remains."""
        runner = jobs.Runner(settings.database_url or "", clock, lambda: app.state.ring, settings)
        running = asyncio.create_task(runner.run_until_cancelled())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    return working


async def _follow_boundaries(pool: asyncpg.Pool, atlas: Atlas) -> None:
    """Take up each new boundary version soon after it was imported, whichever process imported it."""
    while True:
        await asyncio.sleep(FOLLOW_BOUNDARIES_S)
        try:
            async with database.acquired(pool) as conn:
                await atlas.refresh(conn)
        except Exception:  # the boundaries that we have go on serving until the database is back
            log.warning("boundaries_not_followed", exc_info=True)
