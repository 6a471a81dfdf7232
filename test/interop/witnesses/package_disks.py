"""Tells which file of an unpacked OVF package is which disk: {"machine": ["file of its first disk", ...], ...}.

The only argument is the descriptor. Disks are in the order of their controllers and of their places on them.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
RASD = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"
HARD_DISK = "17"

top = ElementTree.parse(sys.argv[1]).getroot()
files = {file.get(OVF + "id"): file.get(OVF + "href") for file in top.iter(OVF + "File")}
disks = {disk.get(OVF + "diskId"): files[disk.get(OVF + "fileRef")] for disk in top.iter(OVF + "Disk")}
found = {}
for system in top.iter(OVF + "VirtualSystem"):
    name = system.findtext(OVF + "Name") or system.get(OVF + "id")
    drives = [item for item in system.iter() if item.findtext(RASD + "ResourceType") == HARD_DISK]
    drives.sort(
        key=lambda item: (int(item.findtext(RASD + "Parent") or 0), int(item.findtext(RASD + "AddressOnParent") or 0))
    )
    found[name] = [disks[item.findtext(RASD + "HostResource").rpartition("/")[2]] for item in drives]
print(json.dumps(found))
