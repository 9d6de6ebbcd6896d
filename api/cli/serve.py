"""`zoufang serve`: the server, on loopback unless told otherwise, until Ctrl-C or SIGTERM."""

import asyncio
import contextlib
import ctypes
import gc
import ipaddress
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api import key_ring, logs
from api.cli.database import hand_to_processes, opened, refuse_unready
from api.settings import Settings, read

APPLICATION = "api.cli.serve:application"
LONGEST_DRAIN = 20  # seconds that open requests have to finish
COUNTED_IN = "PROMETHEUS_MULTIPROC_DIR"  # the variable by which Prometheus' library knows the folder
KEEP_ALIVE = 75  # seconds; longer than a proxy keeps its own, so that it never writes into a closing connection


@click.command()
@click.option("--host", help="Address to listen on.  [default: ZOUFANG_HOST, else 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: ZOUFANG_PORT, else 8000]")
@click.option(
    "--tls-certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM, with chain."
)
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM.")
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Serving processes.")
@click.pass_obj
def serve(
    settings: Settings,
    host: str | None,
    port: int | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    processes: int,
) -> None:
    """Serve until Ctrl-C; requests under way are finished first.

    Without DATABASE_URL the embedded database in ZOUFANG_DATA is started, and migrated, for as long as this runs.
    """
    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together.")
    logs.configure(settings.log_level)
    key_ring.read(settings)  # without its keys the program does not start
    place = (host or settings.host, settings.port if port is None else port)
    with (
        ending_cleanly(),
        counting_together(processes),
        bound(*place) as listening,
        opened(settings, share=False) as addresses,
    ):
        asyncio.run(refuse_unready(addresses))
        hand_to_processes(addresses)
        run(configuration(settings, processes, tls_certificate, tls_key), listening)


def configuration(
    settings: Settings, processes: int = 1, tls_certificate: Path | None = None, tls_key: Path | None = None
) -> uvicorn.Config:
    """How uvicorn serves the program; forwarded headers count only from proxies that the settings name."""
    proxies = [str(ipaddress.ip_network(proxy, strict=False)) for proxy in settings.trusted_proxies]
    return uvicorn.Config(
        APPLICATION,
        factory=True,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        workers=processes,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        ssl_certfile=tls_certificate,
        ssl_keyfile=tls_key,
        log_config=None,
        access_log=False,  # the program writes its own line for each request, with the request's id
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=LONGEST_DRAIN,
    )


def application() -> Any:
    """The program, as each serving process makes it for itself."""
    from api.app import create_app

    if multiprocessing.parent_process() is not None:
        end_with_parent()
    settings = read()
    logs.configure(settings.log_level)
    program = create_app(settings, working=settings.jobs == "on")
    program.on_startup.append(spare_the_collector)
    return program


def spare_the_collector() -> None:
    """Keep what stays for as long as the process out of every garbage collection: looking through it takes some 50 ms,
    during which nobody is answered."""
    gc.collect()
    gc.freeze()


def end_with_parent() -> None:
    """Let the system end this process, gracefully, when the one that looks after it is killed."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG


def run(config: uvicorn.Config, listening: socket.socket) -> None:
    """Serve on a bound socket, in this process or in several; returns after the last request."""
    if config.workers > 1:
        supervisor = Multiprocess(config, sockets=[listening])
        supervisor.run()
        started = not any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    else:
        server = uvicorn.Server(config)
        server.run(sockets=[listening])
        started = server.started
    if not started:
        raise click.ClickException("The program did not start; the log above says why.")


@contextlib.contextmanager
def counting_together(processes: int) -> Iterator[None]:
    """A folder in which several processes count what Prometheus reads, so that each of them answers for all."""
    if processes == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="zoufang-metrics-") as folder:
        os.environ[COUNTED_IN] = folder
        yield


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound before anything slow begins, so that a taken port is said at once; nobody is let in yet."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host} port {port}: {error.strerror}. Another port: ZOUFANG_PORT."
        ) from None
    listening.set_inheritable(True)
    with contextlib.closing(listening):
        yield listening


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Let SIGTERM unwind the program as Ctrl-C does, and make either the normal end of a server."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
