"""Signs in to a vCenter with VMware's pyvmomi, walks the inventory by a container view and watches one machine.

Settings come from the environment (VC_HOST, VC_USER, VC_PASSWORD, VC_MACHINE). Every line on stdout is JSON: first
{"inventory": [[type, name, number of properties], ...]}, then {"power": state} at the start and at every change that WaitForUpdatesEx tells.
It ends after VC_CHANGES changes, or with exit code 1.
"""

import json
import os
import ssl
import sys

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl


def say(**line):
    print(json.dumps(line), flush=True)


def everything(content):
    """Type, name and number of properties of every object, through one container view and its traversal.

    All properties are asked for, so pyvmomi has to understand every type that the server knows.
    """
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.ManagedEntity], True)
    collector = vmodl.query.PropertyCollector
    spec = collector.FilterSpec(
        objectSet=[
            collector.ObjectSpec(
                obj=view,
                skip=True,
                selectSet=[collector.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)],
            )
        ],
        propSet=[collector.PropertySpec(type=vim.ManagedEntity, all=True)],
    )
    found = []
    page = content.propertyCollector.RetrievePropertiesEx([spec], collector.RetrieveOptions(maxObjects=3))
    while page is not None:
        for one in page.objects:
            values = {prop.name: prop.val for prop in one.propSet}
            found.append([type(one.obj).__name__, values["name"], len(values)])
        page = content.propertyCollector.ContinueRetrievePropertiesEx(page.token) if page.token else None
    view.DestroyView()
    return sorted(found)


def machine_named(content, name):
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    try:
        return next(one for one in view.view if one.name == name)
    finally:
        view.DestroyView()


def watch(content, machine, changes):
    collector = vmodl.query.PropertyCollector
    content.propertyCollector.CreateFilter(
        collector.FilterSpec(
            objectSet=[collector.ObjectSpec(obj=machine)],
            propSet=[collector.PropertySpec(type=vim.VirtualMachine, pathSet=["runtime.powerState"])],
        ),
        partialUpdates=False,
    )
    version, seen = "", -1
    while seen < changes:
        update = content.propertyCollector.WaitForUpdatesEx(version, collector.WaitOptions(maxWaitSeconds=30))
        if update is None:
            sys.exit("there was no update within 30 s")
        if update.version == version:
            sys.exit("an update came without a new version")
        version = update.version
        for one in (part for part_of in update.filterSet for part in part_of.objectSet):
            for change in one.changeSet:
                say(power=str(change.val), kind=str(one.kind))
                seen += 1


def main():
    host, _, port = os.environ["VC_HOST"].partition(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        service = SmartConnect(
            host=host,
            port=int(port),
            user=os.environ["VC_USER"],
            pwd=os.environ["VC_PASSWORD"],
            sslContext=context,
        )
    except vim.fault.InvalidLogin as fault:
        say(refused=fault.msg)
        sys.exit(3)
    try:
        content = service.RetrieveContent()
        say(about=content.about.apiType, session=content.sessionManager.currentSession.userName)
        say(inventory=everything(content))
        machine = machine_named(content, os.environ["VC_MACHINE"])
        say(disks=[
            device.capacityInBytes
            for device in machine.config.hardware.device
            if isinstance(device, vim.vm.device.VirtualDisk)
        ])
        watch(content, machine, int(os.environ["VC_CHANGES"]))
    finally:
        Disconnect(service)


main()
