from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from mirror_addon.cli.main import main


@pytest.mark.parametrize("name", ["compare", "record", "annotations"])
def test_a_schema_is_json(name: str) -> None:
    result = CliRunner().invoke(main, ["schema", name])
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    Draft7Validator.check_schema(schema)
    assert schema["$schema"].endswith("draft-07/schema#") and schema["title"]


def test_other_names_and_the_line_for_editors() -> None:
    assert CliRunner().invoke(main, ["schema", "rules"]).exit_code == 2
    text = CliRunner().invoke(main, ["schema", "--help"]).stdout
    assert "# yaml-language-server: $schema=./compare.schema.json" in text
