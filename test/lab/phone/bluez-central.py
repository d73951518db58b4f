#!/usr/bin/env python3
"""A phone without a phone, in the guest: BlueZ's central on hci1, at the other end of a serial port.

Whoever holds the port on the host speaks the records of protocol/src/ble/simulated-link.ts, as to a simulated device;
each becomes what it stands for, by radio. One connection at a time, as many after one another as are asked for.
"""

import asyncio
import os
import struct
import subprocess
import sys

from bleak import BleakClient, BleakScanner

SERVICE = "4c02a330-4c04-4b6c-9828-409b64a7c954"
INFO = "4c02a331-4c04-4b6c-9828-409b64a7c954"
REQUEST = "4c02a332-4c04-4b6c-9828-409b64a7c954"
RESPONSE = "4c02a333-4c04-4b6c-9828-409b64a7c954"
ADAPTER = "hci1"
PORT = "/dev/virtio-ports/phone.0"
FIND_WITHIN_S = 8

CONNECT, CONNECTED, READ_INFO, INFO_VALUE, WRITE, NOTIFY, DISCONNECT = range(1, 8)


class Port:
    """Records from and to the host."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.buffer = b""

    async def record(self):
        """The next record, or None when the host has closed its end."""
        while True:
            if len(self.buffer) >= 3:
                kind, length = struct.unpack(">BH", self.buffer[:3])
                if len(self.buffer) >= 3 + length:
                    content = self.buffer[3 : 3 + length]
                    self.buffer = self.buffer[3 + length :]
                    return kind, content
            try:
                more = os.read(self.fd, 4096)
            except BlockingIOError:
                await asyncio.sleep(0.005)
                continue
            if more == b"":
                self.buffer = b""
                return None
            self.buffer += more

    def send(self, kind, content=b""):
        os.write(self.fd, struct.pack(">BH", kind, len(content)) + content)


def log(*words):
    print(*words, file=sys.stderr, flush=True)


async def serve(port):
    """One connection, after the host has asked for it."""
    device = await BleakScanner.find_device_by_filter(
        lambda _, seen: SERVICE in seen.service_uuids,
        timeout=FIND_WITHIN_S,
        adapter=ADAPTER,
        service_uuids=[SERVICE],
    )
    if device is None:
        return "no device of Ares advertises"
    log("found", device.address, device.name)
    gone = asyncio.Event()
    client = BleakClient(device, lambda _: gone.set(), adapter=ADAPTER, timeout=20)
    try:
        await client.connect()
        await client.start_notify(RESPONSE, lambda _, chunk: port.send(NOTIFY, bytes(chunk)))
        port.send(CONNECTED)
        while not gone.is_set():
            reading = asyncio.ensure_future(port.record())
            ended = asyncio.ensure_future(gone.wait())
            await asyncio.wait([reading, ended], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if not reading.done():
                reading.cancel()
                break
            record = reading.result()
            if record is None or record[0] == DISCONNECT:
                return None
            kind, content = record
            if kind == READ_INFO:
                port.send(INFO_VALUE, bytes(await client.read_gatt_char(INFO)))
            elif kind == WRITE:
                await client.write_gatt_char(REQUEST, content, response=True)
        return "the device has disconnected"
    finally:
        try:
            await client.disconnect()
        except Exception as error:  # It may be gone by itself.
            log("disconnect:", error)
        # What BlueZ remembers of a device is in the way of the next connection.
        subprocess.run(["bluetoothctl", "remove", device.address], capture_output=True, check=False)


async def main():
    port = Port(sys.argv[1] if len(sys.argv) > 1 else PORT)
    log("ready")
    while True:
        record = await port.record()
        if record is None:
            await asyncio.sleep(0.05)
            continue
        if record[0] != CONNECT:
            continue
        try:
            reason = await serve(port)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        log("ended:", reason)
        # Exactly one for each connection, whoever ended it.
        port.send(DISCONNECT, (reason or "").encode()[:200])


asyncio.run(main())
