"""What a Word template of a brief may hold: the placeholders, loops over lists and conditions, and nothing that runs,
reaches out or hides. Whatever else stands there is refused by its name."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec
from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from api.report_sheets import Sheet
from surveys.refusals import Invalid

MOST_BYTES = 3_000_000  # of a file as it comes,
MOST_UNPACKED = 40_000_000  # and of all that is in it
MOST_ENTRIES = 500
MOST_NESTED = 2  # loops in loops
MOST_LOOPS = 60
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
ACTIVE = re.compile(r"vbaProject|activeX|embeddings/|oleObject|\.bin$", re.IGNORECASE)
OUTSIDE = re.compile(r"<Relationship\b[^>]*TargetMode\s*=\s*[\"']External[\"'][^>]*>", re.IGNORECASE)
LOOP = frozenset({"index", "first", "last"})
ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.For,
    nodes.If,
    nodes.Not,
    nodes.And,
    nodes.Or,
    nodes.Compare,
    nodes.Operand,
    nodes.Const,
)


class TemplateUnusable(Invalid):
    """The file is no Word document that can be used; `reason` says what of it."""

    code: ClassVar[str] = "template_unusable"


class TemplateBroken(Invalid):
    """The file cannot be opened as a Word document, or what comes of it cannot."""

    code: ClassVar[str] = "template_broken"


class UnknownPlaceholder(Invalid):
    """The template names something that a brief does not have."""

    code: ClassVar[str] = "unknown_placeholder"


class NotInATemplate(Invalid):
    """The template does more than a template may."""

    code: ClassVar[str] = "not_in_a_template"


REFUSALS: Mapping[str, type[Invalid]] = {
    kind.code: kind for kind in (TemplateUnusable, TemplateBroken, UnknownPlaceholder, NotInATemplate)
}
PICTURE = "map"


def placeholders() -> dict[str, tuple[str, ...] | None]:
    """What a template can name: a text by None, a list by the fields of its rows, none for one of texts."""
    hints = get_type_hints(Sheet)
    found: dict[str, tuple[str, ...] | None] = {PICTURE: None}
    for name in Sheet.__struct_fields__:
        hint = hints[name]
        found[name] = _of_rows(get_args(hint)[0]) if get_origin(hint) is list else None
    return found


def _of_rows(kind: Any) -> tuple[str, ...]:
    return tuple(kind.__struct_fields__) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else ()


class Environment(ImmutableSandboxedEnvironment):
    """Jinja that compiles only what the rules allow; nothing but our texts is ever in its context."""

    def __init__(self) -> None:
        super().__init__(autoescape=True)
        self.globals.clear()
        self.filters.clear()
        self.tests.clear()
        self.loops = 0

    def from_string(self, source: Any, *given: Any, **named: Any) -> Any:
        """Compile a part of a document. Raises Invalid."""
        try:
            tree = self.parse(source)
        except TemplateSyntaxError as error:
            raise NotInATemplate("template", placeholder=_near(str(source), error)) from None
        self.loops += sum(1 for _ in tree.find_all(nodes.For))
        if self.loops > MOST_LOOPS:
            raise NotInATemplate("template", placeholder="for")
        for child in tree.iter_child_nodes():
            _check(child, {})
        try:
            return super().from_string(source, *given, **named)
        except TemplateError as error:
            raise NotInATemplate("template", placeholder=str(error)[:100]) from None


def _near(source: str, error: TemplateSyntaxError) -> str:
    """What is written where the template cannot be read."""
    lines = re.sub(r"<[^>]+>", "", source.splitlines()[error.lineno - 1] if source else "")
    found = re.search(r"\{[{%].*?(?:[}%]\}|$)", lines)
    return (found[0] if found else error.message or "")[:100]


Bound = Mapping[str, tuple[str, ...]]  # loop variables with the fields that they have


def _check(node: nodes.Node, bound: Bound) -> None:
    """Raises Invalid for what a template may not say."""
    if not isinstance(node, ALLOWED):
        raise NotInATemplate("template", placeholder=_written(node))
    if isinstance(node, nodes.For):
        _check_loop(node, bound)
        return
    if isinstance(node, nodes.Getattr):
        _check_field(node, bound)
        return
    if isinstance(node, nodes.Name) and node.name not in bound and node.name not in placeholders():
        raise UnknownPlaceholder("template", placeholder=node.name)
    for child in node.iter_child_nodes():
        _check(child, bound)


def _check_loop(node: nodes.For, bound: Bound) -> None:
    target, source = node.target, node.iter
    if node.recursive or not isinstance(target, nodes.Name) or not isinstance(source, nodes.Name):
        raise NotInATemplate("template", placeholder="for")
    fields = placeholders().get(source.name)
    if source.name not in placeholders():
        raise UnknownPlaceholder("template", placeholder=source.name)
    if fields is None or len([name for name in bound if name != "loop"]) >= MOST_NESTED:
        raise NotInATemplate("template", placeholder=f"for {target.name} in {source.name}")
    inner = {**bound, target.name: fields, "loop": tuple(LOOP)}
    for child in [*([node.test] if node.test else []), *node.body]:
        _check(child, inner)
    for child in node.else_:
        _check(child, bound)


def _check_field(node: nodes.Getattr, bound: Bound) -> None:
    if not isinstance(node.node, nodes.Name):
        raise NotInATemplate("template", placeholder=_written(node))
    name, field = node.node.name, node.attr
    if name not in bound or field not in bound[name]:
        raise UnknownPlaceholder("template", placeholder=f"{name}.{field}")


def _written(node: nodes.Node) -> str:
    """A part of a template as it may have been written, for its author to find."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_written(node.node)}.{node.attr}"
    if isinstance(node, nodes.Call):
        return f"{_written(node.node)}()"
    if isinstance(node, nodes.Filter):
        return f"{_written(node.node) if node.node else ''}|{node.name}"
    if isinstance(node, nodes.Getitem):
        return f"{_written(node.node)}[…]"
    return type(node).__name__.lower()


def refuse_unfit_file(content: bytes) -> None:
    """Raises Invalid for what is no Word document, is too large when unpacked, or holds what runs or reaches out."""
    if len(content) > MOST_BYTES:
        raise TemplateUnusable("template", reason="size", most=MOST_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > MOST_UNPACKED:
                raise TemplateUnusable("template", reason="size", most=MOST_UNPACKED)
            parts = dict(_parts(archive))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        raise TemplateBroken("template") from None
    if MAIN not in parts.get("[Content_Types].xml", ""):
        raise TemplateBroken("template")
    for name, text in parts.items():
        if ACTIVE.search(name):
            raise TemplateUnusable("template", reason=name[:100])
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise TemplateUnusable("template", reason=f"{name[:80]}: DOCTYPE")
        for relation in OUTSIDE.findall(text):
            if "/hyperlink" not in relation:
                raise TemplateUnusable("template", reason=f"{name[:80]}: External")


def _parts(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """The names of all parts, and what is written in those of text."""
    unpacked = 0
    for entry in archive.infolist():
        text = ""
        if entry.filename.endswith((".xml", ".rels")):
            with archive.open(entry) as opened:
                content = opened.read(MOST_UNPACKED - unpacked + 1)
            unpacked += len(content)
            if unpacked > MOST_UNPACKED:
                raise TemplateUnusable("template", reason="size", most=MOST_UNPACKED)
            text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
        yield entry.filename, text
