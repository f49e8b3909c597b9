"""Drives an RCON server with an independent client library.

Arguments: library (mcrcon, aiomcrcon or rconx), host, port, password. Commands come on stdin, one a line; the reply to
each goes to stdout as one line of JSON. A refused login prints `null` and ends.
"""

import asyncio
import json
import sys


def commands():
    return (line.rstrip("\n") for line in sys.stdin)


def show(reply):
    print(json.dumps(reply), flush=True)


def mcrcon(host, port, password):
    from mcrcon import MCRcon, MCRconException

    client = MCRcon(host, password, port=port, timeout=30)
    try:
        client.connect()
    except MCRconException as error:
        if str(error) != "Login failed":
            raise
        return show(None)
    for command in commands():
        show(client.command(command))
    client.disconnect()


async def aiomcrcon(host, port, password):
    from aiomcrcon import Client, IncorrectPasswordError

    client = Client(host, port, password)
    try:
        await client.connect(timeout=30)
    except IncorrectPasswordError:
        return show(None)
    for command in commands():
        reply, _ = await client.send_cmd(command, timeout=30)
        show(reply)
    await client.close()


def rconx(host, port, password):
    from rconx import RconAuthenticationError, RconClient

    # This mode sends an end marker behind the first frame of every reply, and joins the frames.
    with RconClient.create(host, port, preset="minecraft") as client:
        try:
            client.connect_and_authenticate(password, timeout=30)
        except RconAuthenticationError:
            return show(None)
        for command in commands():
            show(client.execute(command, timeout=30).text)


library, host, port, password = sys.argv[1:]
if library == "aiomcrcon":
    asyncio.run(aiomcrcon(host, int(port), password))
else:
    {"mcrcon": mcrcon, "rconx": rconx}[library](host, int(port), password)
