"""JSON that a diff can be read of."""

import json
from pathlib import Path


def write_json(path: Path, value):
    """One key a line, lists of numbers on one line, so that a diff can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_pretty(value, 0) + "\n", encoding="utf-8")


def _pretty(value, depth):
    pad = "  " * (depth + 1)
    if isinstance(value, dict) and value:
        items = [f"{pad}{json.dumps(str(k), ensure_ascii=True)}: {_pretty(v, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + "  " * depth + "}"
    if isinstance(value, list) and any(isinstance(item, (dict, list, str)) for item in value):
        return "[\n" + ",\n".join(pad + _pretty(item, depth + 1) for item in value) + "\n" + "  " * depth + "]"
    return json.dumps(value, ensure_ascii=True)
