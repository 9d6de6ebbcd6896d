"""Word templates of briefs: what a secretary changes holds, and what a template may not do is refused by its name."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import docx
import pytest
from docx.document import Document

from api import report_sheets, report_template_rules, report_word
from api.report_template_rules import MOST_BYTES
from surveys.refusals import Invalid
from tests.conftest import ADMINISTRATOR, LEADER, Client

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


def template(*paragraphs: str) -> bytes:
    """A document of these paragraphs."""
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    return saved(document)


def saved(document: Document) -> bytes:
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def tried(content: bytes) -> str:
    """What comes of a template with the sample, as text. Raises Invalid."""
    made = report_word.filled(content, report_sheets.sample("zh"), None, MOMENT)
    return "\n".join(paragraph.text for paragraph in docx.Document(io.BytesIO(made)).paragraphs)


def refusal(content: bytes) -> tuple[str, str]:
    with pytest.raises(Invalid) as refused:
        tried(content)
    facts = refused.value.facts
    return refused.value.code, str(facts.get("placeholder") or facts.get("reason") or "")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_template_that_comes_along_shows_everything(language: str) -> None:
    content = report_word.default(language)
    made = report_word.filled(content, report_sheets.sample(language), None, MOMENT)
    body = docx.Document(io.BytesIO(made)).element.body
    text = "".join(body.itertext())
    assert "{" not in text
    for name, fields in report_template_rules.placeholders().items():
        if fields:
            assert all(f"{name}.{field}" in text for field in fields), name
    assert made == report_word.filled(content, report_sheets.sample(language), None, MOMENT)


def test_a_secretary_s_own_template_holds() -> None:
    said = tried(
        template("关于 {{ scope }} 的简报", "{%p for row in cases %}", "案例 {{ row.number }}", "{%p endfor %}")
    )
    assert said.splitlines() == ["关于 scope 的简报", "案例 cases.number", "案例 cases.number"]
    assert tried(template("{% if version %}有{% else %}无{% endif %} {{ loop }}".replace("{{ loop }}", ""))) == "有 "
    assert "1" in tried(template("{% for line in summary %}{{ loop.index }}{% endfor %}"))


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("{{ titel }}", "titel"),
        ("{% for row in counts %}{{ row.nmae }}{% endfor %}", "row.nmae"),
        ("{% for row in streets %}{% endfor %}", "streets"),
        ("{{ title.upper }}", "title.upper"),
        ("{{ title.__class__ }}", "title.__class__"),
        ("{% for row in counts %}{{ row.__init__ }}{% endfor %}", "row.__init__"),
        ("{{ self }}", "self"),
        ("{{ config }}", "config"),
    ],
)
def test_what_a_brief_does_not_have_is_named(written: str, named: str) -> None:
    assert refusal(template(written)) == ("unknown_placeholder", named)


@pytest.mark.parametrize(
    "written",
    [
        "{{ title|upper }}",
        "{{ title() }}",
        "{{ title['a'] }}",
        "{{ 7 * 7 }}",
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{% for i in title %}x{% endfor %}",
        "{% set x = title %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% macro m() %}{% endmacro %}",
        "{% for a in notes %}{% for b in notes %}{% for c in notes %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% for row in counts recursive %}{% endfor %}",
        "{{ title ",
        "{% if title %}",
        "{% for line in notes %}{% endfor %}" * 61,
        "{{ title ~ scope }}",
        "{% raw %}{{ title }}",
    ],
)
def test_what_does_more_than_a_template_may_is_refused(written: str) -> None:
    code, named = refusal(template(written))
    assert code == "not_in_a_template"
    assert named


def changed(change: Callable[[str, bytes], bytes | None], more: dict[str, bytes] | None = None) -> bytes:
    """The template that comes along, with its parts changed, left out, or more of them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(template("{{ title }}"))) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content, zipfile.ZIP_DEFLATED)
        for name, content in (more or {}).items():
            new.writestr(name, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def same(_: str, content: bytes) -> bytes:
    return content


def test_files_that_are_none_or_do_more_are_refused() -> None:
    assert refusal(b"")[0] == "template_broken"
    assert refusal(b"PK\x03\x04 no archive")[0] == "template_broken"
    assert refusal(template("{{ title }}")[:-400])[0] == "template_broken"
    assert (
        refusal(changed(lambda name, content: None if name == "word/document.xml" else content))[0] == "template_broken"
    )
    assert (
        refusal(changed(lambda name, content: b"<" if name == "word/document.xml" else content))[0] == "template_broken"
    )
    assert refusal(b"x" * (MOST_BYTES + 1)) == ("template_unusable", "size")
    assert refusal(changed(same, {"word/media/big.xml": b"0" * 41_000_000})) == ("template_unusable", "size")
    assert refusal(changed(same, {"word/vbaProject.bin": b"x"})) == ("template_unusable", "word/vbaProject.bin")
    assert refusal(changed(same, {"word/embeddings/a.xlsx": b"x"})) == ("template_unusable", "word/embeddings/a.xlsx")
    entities = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
    doctyped = changed(lambda name, content: entities + content if name == "word/settings.xml" else content)
    assert refusal(doctyped)[0] == "template_unusable"
    outside = (
        b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate" '
        b'Target="http://elsewhere.example/t.dotm" TargetMode="External"/></Relationships>'
    )
    code, named = refusal(changed(same, {"word/_rels/settings.xml.rels": outside}))
    assert code == "template_unusable"
    assert "settings.xml.rels" in named


def test_what_is_written_in_headers_and_properties_is_held_to_the_rules_too() -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "{{ cycler }}"
    assert refusal(saved(document)) == ("unknown_placeholder", "cycler")
    document = docx.Document()
    document.core_properties.subject = "{{ joiner() }}"
    assert refusal(saved(document))[0] == "not_in_a_template"


@pytest.mark.parametrize("page", ["reports.md", "reports.zh-CN.md"])
def test_every_placeholder_is_explained_and_no_other(page: str) -> None:
    rows = re.findall(r"^\| (`.*?) \|(.*)\|$", (ROOT / "surveys/reports" / page).read_text(), flags=re.MULTILINE)
    explained: dict[str, tuple[str, ...] | None] = {}
    for names, about in rows:
        for name in re.findall(r"`(\w+)`", names):
            fields = tuple(re.findall(r"`(\w+)`", about)) if re.search(r"list:|列表：", about) else None
            explained[name] = fields
    found = {name: fields or None for name, fields in report_template_rules.placeholders().items()}
    assert explained == found | {"map": None}


@pytest.mark.anyio
@pytest.mark.timeout(300)
async def test_a_template_is_uploaded_kept_and_given_back(client: Client) -> None:
    url = "/api/reports/template"

    async def upload(content: bytes) -> tuple[int, dict[str, object]]:
        answer = await client.post(url, content=content, headers=ADMINISTRATOR.headers)
        return answer.status_code, answer.json()

    original = await client.get(url, headers=ADMINISTRATOR.headers)
    assert original.content == report_word.default("zh")
    own = template("我区简报 {{ title }}")
    assert await upload(own) == (201, {"version": 1})
    status, problem = await upload(template("{{ titel }}"))
    assert (status, problem["code"], problem["field"]) == (422, "unknown_placeholder", "template")
    assert "titel" in str(problem["title"])
    assert (await upload(b"x" * (MOST_BYTES + 10)))[0] == 422
    assert await upload(template("{{ title }} 2")) == (201, {"version": 2})
    assert (await client.get(f"{url}?version=1", headers=ADMINISTRATOR.headers)).content == own
    assert (await client.get(f"{url}?version=0", headers=ADMINISTRATOR.headers)).content == original.content
    assert (await client.get(f"{url}?version=9", headers=ADMINISTRATOR.headers)).status_code == 404
    assert (await client.get(f"{url}?lang=en", headers=ADMINISTRATOR.headers)).content == report_word.default("en")
    versions = (await client.get("/api/reports/templates", headers=ADMINISTRATOR.headers)).json()["items"]
    assert [one["version"] for one in versions] == [2, 1]
    assert (await client.post(url, content=own, headers=LEADER.headers)).status_code == 403
