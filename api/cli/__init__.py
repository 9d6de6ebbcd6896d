"""The command line: `zoufang serve`, `init`, `migrate`, `jobs`, `demo`, `map`, `import …`."""

import importlib
from typing import Any

import click

from api import settings
from api.cli.database import NoDatabaseError
from api.jobs import UnknownJobError
from api.key_ring import KeyRingError
from api.migrations import MigrationError, UnfitDatabaseError
from api.postgres_programs import ClusterError

# What a person at the command line can put right: said in one sentence, without a traceback.
EXPECTED = (
    settings.InvalidSetting,
    NoDatabaseError,
    KeyRingError,
    UnknownJobError,
    ClusterError,
    MigrationError,
    UnfitDatabaseError,
)


class Commands(click.Group):
    """A group whose commands are imported when they are asked for, so that `--help` costs nothing."""

    def __init__(self, *args: Any, places: dict[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return None
        module, attribute = self.places[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EXPECTED as error:
            raise click.ClickException(str(error)) from None


@click.group(
    cls=Commands,
    places={
        "demo": "api.cli.demo:demo",
        "init": "api.cli.init:init",
        "serve": "api.cli.serve:serve",
        "migrate": "api.cli.migrate:migrate",
        "backup": "api.cli.backup:backup",
        "restore": "api.cli.backup:restore",
        "doctor": "api.cli.doctor:doctor",
        "report": "api.cli.report:report",
        "jobs": "api.cli.jobs:run_jobs",
        "map": "api.cli.map:map_",
        "history": "api.cli.history:history",
        "keys": "api.cli.keys:keys",
        "residents": "api.cli.residents:residents_group",
        "members": "api.cli:members_group",
        "cards": "api.cli.cards:cards",
        "import": "api.cli:import_group",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="zoufang")
@click.pass_context
def main(context: click.Context) -> None:
    """Zoufang (走访): visits from door to door, and the problems found solved in time.

    Settings come from the environment: ZOUFANG_…, DATABASE_URL, MIGRATION_DATABASE_URL.
    """
    context.obj = settings.read()


@click.group(
    "import",
    cls=Commands,
    places={
        "communities": "api.cli.communities:communities",
        "categories": "api.cli.categories:categories",
        "holidays": "api.cli.holidays:holidays",
        "issues": "api.cli.issues:issues",
        "members": "api.cli.members:members",
        "premises": "api.cli.premises:premises",
        "questionnaire": "api.cli.questionnaires:questionnaire",
        "volunteers": "api.cli.volunteers:volunteers",
        "instrument": "api.cli.instruments:instrument",
    },
)
def import_group() -> None:
    """Bring in communities, categories, holidays, members, doors, questionnaires, scorecards, volunteers, a ledger."""


@click.group("members", cls=Commands, places={"invite": "api.cli.invitations:invite"})
def members_group() -> None:
    """Let members in."""
