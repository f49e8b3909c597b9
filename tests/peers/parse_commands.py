"""Parses commands with mecha, an independent parser of Minecraft's commands, in every version that it knows.

Reads one command per line. Writes the versions as JSON, then for each command {version: what is wrong, or null}.
"""

import json
import re
import sys
from importlib import resources

from mecha import DiagnosticError, Mecha

names = (re.fullmatch(r"(\d+)_(\d+)\.json", file.name) for file in resources.files("mecha.resources").iterdir())
versions = sorted((int(name[1]), int(name[2])) for name in names if name)
parsers = {".".join(map(str, version)): Mecha(version=version) for version in versions}


def problem(parser, command):
    try:
        parser.parse(command + "\n")
    except DiagnosticError as error:
        return "; ".join(diagnostic.message for diagnostic in error.diagnostics.exceptions)


print(json.dumps(list(parsers)))
for line in sys.stdin:
    command = line.rstrip("\n")
    print(json.dumps({version: problem(parser, command) for version, parser in parsers.items()}))
