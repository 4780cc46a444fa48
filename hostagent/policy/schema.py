"""JSON Schema of policy files and of case files, for editors; made from the models."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from hostagent.policy.cases import CaseFile
from hostagent.policy.model import PolicyFile


def policy_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a policy file."""
    return _schema(PolicyFile, "hostagent policy")


def cases_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a `*.cases.yaml` file."""
    return _schema(CaseFile, "hostagent policy cases")


def schema_text(schema: dict[str, Any]) -> str:
    """The schema as its file holds it."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
