"""`python -m tests.bench`: measure, and print one table."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import click

from api.embedded_postgres import Cluster
from tests.bench import (
    board,
    bookings,
    cards,
    counting,
    dashboards,
    desk,
    doors,
    exports,
    figures,
    filing,
    late,
    ledgers,
    map_data,
    members,
    moves,
    openrosa,
    placing,
    premises,
    rates,
    reports,
    rounds,
    server,
    sign_ins,
    time_bank,
    twins,
    walking,
)

MEASURES = {
    "placing": placing.measure,
    "filing": filing.measure,
    "moves": moves.measure,
    "openrosa": openrosa.measure,
    "sign_ins": sign_ins.measure,
    "maps": map_data.measure,
    "ledgers": ledgers.measure,
    "members": members.measure,
    "premises": premises.measure,
    "cards": cards.measure,
    "bookings": bookings.measure,
    "board": board.measure,
    "twins": twins.measure,
    "late": late.measure,
    "rates": rates.measure,
    "reports": reports.measure,
    "dashboards": dashboards.measure,
    "counting": counting.measure,
    "desk": desk.measure,
    "doors": doors.measure,
    "walking": walking.measure,
    "exports": exports.measure,
    "rounds": rounds.measure,
    "time_bank": time_bank.measure,
}
LARGE = {
    "counting": counting.measure_large,
    "maps": map_data.measure_large,
    "ledgers": ledgers.measure_large,
    "openrosa": openrosa.measure_large,
    "premises": premises.measure_large,
    "twins": twins.measure_large,
}


@click.command()
@click.option("--large", is_flag=True, help="A million issues, a ledger of 200,000 rows.")
@click.argument("chosen", nargs=-1, type=click.Choice([*MEASURES]))
def main(large: bool, chosen: tuple[str, ...]) -> None:
    """Measure everything, or what is chosen."""
    measures = LARGE if large else MEASURES
    found = []
    with tempfile.TemporaryDirectory(prefix="zoufang-bench-") as name:
        folder = Path(name)
        with Cluster(folder / "postgresql") as cluster:
            asyncio.run(server.make_template(cluster))
            for what in chosen or measures:
                started = time.monotonic()
                found.extend(asyncio.run(measures[what](cluster, folder)))
                click.echo(f"{what}: {time.monotonic() - started:.0f} s", err=True)
    figures.show(found)
    sys.exit(any(one.met is False for one in found))


if __name__ == "__main__":
    main()
