"""The queries of docs/how-to/many-records.md, run by duckdb, against the report of the same records."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from capturetools import line
from click.testing import CliRunner
from doctools import ROOT
from doctools import blocks

from mirror_addon.cli.report import report
from mirror_addon.compare.reasons import DROPPED
from mirror_addon.compare.record_path import RecordPath

PAGE = ROOT / "docs" / "how-to" / "many-records.md"
DAY = 86_400.0
LAYOUT = "records/day=%Y-%m-%d/mirror={target}/{host}-{pid}.jsonl"


def difference(path: str, kind: str = "value", noise: str = "", shadow: Any = 2) -> dict[str, Any]:
    return {"path": path, "kind": kind, "primary": {"a": [1]}, "shadow": shadow, "noise": noise, "where": path}


def written(number: int, start: float, target: str, url: str, **changes: Any) -> None:
    pair = json.loads(line(f"f{number}", number, start=start, target=target, url=url, method="GET"))
    shadow = pair["shadow"] | changes.pop("shadow", {}) | {"ms": 5.0 + number}
    file = Path(RecordPath(LAYOUT).at(target, start))
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.write(json.dumps(pair | {"shadow": shadow} | changes) + "\n")


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(40):
        place = (
            number,
            DAY * (20_000 + number % 2),
            f"shop/v{2 + number % 3 // 2}",
            f"http://shop.test/{'ab'[number % 2]}",
        )
        match number % 8:
            case 0 | 1:
                found = [difference("$.a"), difference("$.t", noise="timestamp")]
                written(*place, verdict="different", differences=found)
            case 2:
                written(*place, verdict="different", differences=[difference("$.b[*]", "missing", shadow=None)])
            case 3:
                written(*place, verdict="noise", differences=[difference("$.t", noise="timestamp", shadow="x")])
            case 4:
                written(*place, verdict="failed", shadow={"status": None, "error": "timeout"})
            case 5:
                written(*place, verdict="failed", shadow={"status": None, "error": "queue_full"})
            case 6:
                written(*place, verdict=None)
            case _:
                written(*place, shadow={"status": 500})


def rows() -> list[list[dict[str, Any]]]:
    """The rows of every query, by column."""
    import duckdb

    connection = duckdb.connect()
    found = []
    text = "\n".join(block.text for block in blocks(PAGE) if block.language == "sql")
    for statement in duckdb.extract_statements(text):
        done = connection.execute(statement)
        if statement.type == duckdb.StatementType.SELECT:
            names = [column[0] for column in done.description]
            found.append([dict(zip(names, row, strict=True)) for row in done.fetchall()])
    return found


@pytest.mark.usefixtures("records")
def test_the_queries_give_the_numbers_of_the_report() -> None:
    fates, endpoints, fields, reasons, statuses, times = rows()
    result = CliRunner().invoke(report, ["records", "--json"])
    assert result.exit_code == 0, result.output
    targets = {each["target"]: each for each in json.loads(result.stdout)["targets"]}
    assert len({str(row["day"]) for row in fates}) == 2
    assert set(targets) == {"shop/v2", "shop/v3"}
    for name, told in targets.items():
        own = [row for row in fates if row["target"] == name]
        for column in ("requests", "compared", "differing", "failed", "dropped"):
            assert sum(row[column] for row in own) == told[column], (name, column)
        for part in told["endpoints"]:
            (row,) = [row for row in endpoints if (row["target"], row["endpoint"]) == (name, part["endpoint"])]
            assert (row["differing"], row["compared"]) == (part["differing"], part["compared"])
            assert row["share"] == pytest.approx(part["share"])
            here = [row for row in fields if (row["target"], row["endpoint"]) == (name, part["endpoint"])]
            assert {(row["path"], row["kind"]): row["pairs"] for row in here} == {
                (each["path"], each["kind"]): each["pairs"] for each in part["fields"]
            }
        for fate in ("failed", "dropped"):
            own = [row for row in reasons if (row["target"], row["fate"]) == (name, fate)]
            assert {row["reason"]: row["shadows"] for row in own} == told["reasons"][fate]
        own = [row for row in statuses if row["target"] == name]
        assert Counter({(row["primary_status"], row["shadow_status"]): row["pairs"] for row in own}) == Counter(
            {(each["primary"], each["shadow"]): each["pairs"] for each in told["statuses"]}
        )
    assert {row["target"] for row in times} == set(targets)
    assert all(row["shadow_p50"] <= row["shadow_p95"] for row in times)


def test_the_view_knows_every_reason_of_a_dropped_shadow() -> None:
    (view,) = [block.text for block in blocks(PAGE) if "AS fate" in block.text]
    named = set(view.partition("error IN (")[2].partition(")")[0].replace("'", "").replace("\n", " ").split(","))
    assert {each.strip() for each in named} == set(DROPPED)
