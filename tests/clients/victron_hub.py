"""victron-mqtt's Hub as its users run it: python victron_hub.py PORT prints what it has found.

Runs in a Python that has the package victron-mqtt.
"""

import asyncio
import json
import sys

from victron_mqtt import Hub


async def main(port: int) -> None:
    hub = Hub("127.0.0.1", port, None, None, False)
    await hub.connect()
    await hub.wait_for_first_refresh()
    found = {
        device.unique_id: {
            "type": device.device_type.code,
            "name": device.name,
            "metrics": {metric.short_id: metric.value for metric in device.metrics},
        }
        for device in hub.devices.values()
    }
    await hub.disconnect()
    print(json.dumps({"portal": hub.installation_id, "devices": found}, default=str))


asyncio.run(asyncio.wait_for(main(int(sys.argv[1])), 60))
