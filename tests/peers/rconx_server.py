"""An RCON server that is not ours: rconx, with the conventions of Source games instead of Minecraft's.

Arguments: password, then the names of the players who are online. The first line on stdout is {"port": N}; every command
that ran follows as {"command": ..., "reply": ...}. It ends when stdin is closed.

What is different from vanilla: an empty frame of kind 0 comes before the answer to a login, the connection is closed
after a wrong password, ids have to be positive, replies are cut at 4086 bytes and may be cut within a character, and
several frames may come in one write.
"""

import json
import logging
import sys
import threading

from rconx import RconServer
from rconx.server.log import SERVER_LOGGER

password, *online = sys.argv[1:]
printing = threading.Lock()


def show(line):
    with printing:
        print(json.dumps(line), flush=True)


def run(command):
    match command.split(" "):
        case ["list"]:
            return f"There are {len(online)} of a max of 20 players online: {', '.join(online)}"
        case ["give", name, item, count] if name in online:
            return f"Gave {count} [{item.removeprefix('minecraft:').title()}] to {name}"
        case ["give", *_]:
            return "No player was found"
        case ["longreply", length, character]:
            return character * int(length)
        case ["say" | "lp", *_]:
            return ""
    return f"Unknown or incomplete command, see below for error{command}<--[HERE]"


def handle(content, _info):
    command = content.text
    reply = run(command)
    show({"command": command, "reply": reply})
    return reply


class Port(logging.Handler):
    """The server says where it listens in its log, and nowhere else."""

    def emit(self, record):
        if record.msg.startswith("TCP listener ready"):
            show({"port": record.args[0][1]})


SERVER_LOGGER.setLevel(logging.INFO)
SERVER_LOGGER.addHandler(Port())
server = RconServer("127.0.0.1", 0, authentication=password, command_handler=handle)
serving = threading.Thread(target=server.serve)
serving.start()
sys.stdin.read()
server.shutdown()
serving.join()
