"""Writes vim25.txt from the type tables of an installed pyVmomi (argument 1: its package folder).

The table holds facts of the published vim25 interface only: names of types, members and methods, their order and types.
Run it again when the simulator learns a new managed object or method: python3 extract.py <folder of pyVmomi> > vim25.txt
"""
import re
import sys

OPTIONAL, LINK, LINKABLE, SECRET = 1, 2, 4, 8
data, enums, managed, wsdl_of = {}, {}, {}, {}

MANAGED = """ManagedObject ManagedEntity ExtensibleManagedObject ServiceInstance SessionManager PropertyCollector PropertyFilter
ViewManager View ManagedObjectView ContainerView ListView Folder Datacenter ComputeResource ClusterComputeResource HostSystem
ResourcePool VirtualApp Datastore Network DistributedVirtualPortgroup DistributedVirtualSwitch VmwareDistributedVirtualSwitch
VirtualMachine VirtualMachineSnapshot Task TaskManager HttpNfcLease OvfManager HostDatastoreBrowser FileManager SearchIndex
CustomFieldsManager EnvironmentBrowser OptionManager AuthorizationManager HostAutoStartManager""".split()

CALLS = """RetrieveServiceContent CurrentTime Login Logout SessionIsActive RetrieveProperties RetrievePropertiesEx
ContinueRetrievePropertiesEx CancelRetrievePropertiesEx CreateFilter WaitForUpdatesEx WaitForUpdates CheckForUpdates
CancelWaitForUpdates CreatePropertyCollector DestroyPropertyCollector DestroyPropertyFilter CreateContainerView CreateListView
ModifyListView DestroyView CreateFolder MoveIntoFolder_Task Rename_Task Destroy_Task CreateVM_Task RegisterVM_Task UnregisterVM
CloneVM_Task MarkAsTemplate MarkAsVirtualMachine ReconfigVM_Task PowerOnVM_Task PowerOffVM_Task SuspendVM_Task ResetVM_Task
ShutdownGuest RebootGuest PowerOnMultiVM_Task PowerOnVApp_Task PowerOffVApp_Task CreateSnapshot_Task RemoveSnapshot_Task
RemoveAllSnapshots_Task RevertToSnapshot_Task RevertToCurrentSnapshot_Task AddCustomFieldDef RemoveCustomFieldDef SetField
setCustomValue CreateVApp UpdateVAppConfig CreateResourcePool SearchDatastore_Task SearchDatastoreSubFolders_Task MakeDirectory
DeleteDatastoreFile_Task MoveDatastoreFile_Task CopyDatastoreFile_Task FindByInventoryPath FindByUuid FindByDnsName FindByIp
FindChild FindAllByUuid FindByDatastorePath CancelTask ExportVm ExportVApp ExportSnapshot HttpNfcLeaseProgress HttpNfcLeaseGetManifest
HttpNfcLeaseSetManifestChecksumType HttpNfcLeaseComplete HttpNfcLeaseAbort CreateDescriptor ParseDescriptor ValidateHost
CreateImportSpec ImportVApp RefreshDatastore Reload QueryOptions TerminateSession unregisterVApp_Task HasPrivilegeOnEntities
ReconfigureAutostart""".split()

# Kept as names but not spelled out: parts of the vendor's tree that the simulator leaves unset.
OPAQUE = """HostConfigInfo HostHardwareInfo HostCapability HostRuntimeInfo Event EventHistoryCollector ScheduledTaskDetail
VsanHostConfigInfo ClusterAction ClusterRecommendation ClusterDrsRecommendation ClusterDrsMigration ClusterConfigSpecEx
VirtualMachineVcpuConfig ClusterDasAdvancedRuntimeInfo ClusterDrsFaults HostLicensableResourceInfo ClusterActionHistory
CustomizationSpec ClusterConfigInfoEx ClusterConfigInfo ClusterConfigSpec HostMemberRuntimeInfo ClusterVmToolsUpgrade
VirtualMachineProfileSpec AnswerFileStatusResult Permission AlarmState LocalizedMethodFault HostListSummary DVSCapability
DVPortgroupConfigSpec DVSConfigSpec ClusterUsageSummary ClusterComputeResourceSummary DVSRuntimeInfo IoFilterInfo
VirtualMachineSgxInfo HostSystemRemediationState ReplicationConfigSpec VirtualMachineContentLibraryItemInfo MethodFault
ClusterComputeResourceHCIConfigInfo StorageIORMConfigSpec DiagnosticManagerBundleInfo Extension CryptoSpec VMwareDVSPortSetting
ScheduledHardwareUpgradeInfo FaultToleranceConfigInfo FaultToleranceConfigSpec VirtualMachineVMCIDevice""".split()

ALSO = """Description KeyValue LocalizedMethodFault MethodFault RuntimeFault OptionValue KeyAnyValue LocalizableMessage
VirtualController VirtualSCSIController ParaVirtualSCSIController VirtualLsiLogicController VirtualLsiLogicSASController
VirtualBusLogicController VirtualAHCIController VirtualSATAController VirtualNVMEController VirtualIDEController VirtualPCIController
VirtualPS2Controller VirtualSIOController VirtualKeyboard VirtualPointingDevice VirtualMachineVideoCard VirtualDisk VirtualCdrom
VirtualFloppy VirtualDiskFlatVer2BackingInfo VirtualCdromIsoBackingInfo VirtualCdromRemotePassthroughBackingInfo
VirtualCdromRemoteAtapiBackingInfo VirtualCdromAtapiBackingInfo VirtualEthernetCard VirtualVmxnet VirtualVmxnet2 VirtualVmxnet3
VirtualE1000 VirtualE1000e VirtualPCNet32 VirtualSriovEthernetCard VirtualEthernetCardNetworkBackingInfo VirtualUSBController
VirtualEthernetCardDistributedVirtualPortBackingInfo VirtualMachineImportSpec VirtualAppImportSpec VirtualMachineConfigSpec
VirtualMachineRelocateSpec VirtualMachineCloneSpec TraversalSpec SelectionSpec PropertyFilterSpec TaskReasonUser VAppConfigInfo
VmConfigInfo VAppConfigSpec VmConfigSpec DistributedVirtualPort VMwareDVSConfigInfo DVSConfigInfo
VMwareDVSPortSetting DVPortgroupConfigInfo VmwareDistributedVirtualSwitchVlanIdSpec VmwareDistributedVirtualSwitchVlanSpec
LocalDatastoreInfo VmfsDatastoreInfo NasDatastoreInfo DatastoreInfo FileQuery VmDiskFileQuery VmConfigFileQuery FolderFileQuery
FileInfo FolderFileInfo VmDiskFileInfo VmConfigFileInfo IsoImageFileInfo IsoImageFileQuery TemplateConfigFileInfo
TemplateConfigFileQuery VmLogFileInfo VmLogFileQuery VmNvramFileInfo VmNvramFileQuery HostDatastoreBrowserSearchResults VirtualMachineFileLayoutEx
VirtualHardware VirtualPCIController VirtualPointingDeviceDeviceBackingInfo VirtualMachineRuntimeInfo VirtualMachineBootOptionsBootableDiskDevice
VirtualMachineBootOptionsBootableEthernetDevice VirtualMachineBootOptionsBootableCdromDevice VirtualSoundCard
VirtualMachineBootOptionsBootableDevice ClusterComputeResourceSummary ClusterConfigInfoEx ClusterDasConfigInfo
ClusterDrsConfigInfo ResourceConfigSpec VirtualAppSummary ResourcePoolSummary CustomFieldStringValue CustomFieldDef
DVSNameArrayUplinkPortPolicy VMwareDVSPortgroupPolicy HostListSummary ClusterConfigInfo VirtualFloppyRemoteDeviceBackingInfo
OvfFile OvfCreateDescriptorParams OvfCreateImportSpecParams ClusterPowerOnVmResult ClusterAttemptedVmInfo ComputeResourceSummary
ComputeResourceConfigInfo HostRuntimeInfo HostCapability VirtualTPM VirtualUSBXHCIController VirtualHdAudioCard VirtualSerialPort
VirtualPCIPassthrough VirtualUSB VirtualNVDIMM VirtualDiskRawDiskMappingVer1BackingInfo VirtualFloppyImageBackingInfo
VirtualUSBUSBBackingInfo VirtualPCIPassthroughDeviceBackingInfo CryptoKeyId""".split()

FAULTS = """InvalidLogin PasswordExpired NotAuthenticated InvalidRequest InvalidArgument ManagedObjectNotFound InvalidType InvalidProperty NotSupported
InvalidCollectorVersion InvalidPowerState InvalidState TaskInProgress DuplicateName InvalidName FileNotFound FileAlreadyExists
FileFault FileLocked CannotDeleteFile Timedout RequestCanceled SystemError InvalidFolder VmConfigFault InvalidDeviceSpec
InvalidVmConfig NotFound NoPermission InsufficientResourcesFault GenericVmConfigFault InvalidDatastorePath InvalidDatastore
NoDiskSpace OvfFault OvfImport OvfImportFailed OvfInvalidPackage OvfXmlFormat OvfUnsupportedPackage OvfUnsupportedType OvfElement
OvfUnsupportedElement OvfMissingElement OvfInvalidValue OvfMissingHardware OvfMissingAttribute
OvfUnsupportedAttribute OvfPropertyValue OvfPropertyType OvfNoHostNic OvfWrongElement OvfElementInvalidValue OvfUnknownDeviceBacking OvfNetworkMappingNotSupported
OvfNoSupportedHardwareFamily OvfHardwareCheck OvfUnsupportedDeviceBackingInfo OvfUnableToExportDisk OvfHostValueNotParsed OvfMappedOsId
OvfUnsupportedSection OvfExport ToolsUnavailable ConcurrentAccess HostCommunication HttpFault NotEnoughLicenses CannotCreateFile
MethodNotFound NotImplemented InvalidSnapshotFormat SnapshotFault VAppConfigFault VAppNotRunning InvalidDeviceOperation
NotEnoughCpus DisallowedOperationOnFailoverHost CannotModifyConfigCpuRequirements UnexpectedFault 
OvfDiskMappingNotFound OvfInvalidVmName OvfUnexpectedElement OvfAttribute OvfProperty OvfConsumerCallbackFault DatastoreNotWritableOnHost OvfSystemFault OvfUnsupportedDeviceBackingOption OvfDuplicateElement IncompatibleDefaultDevice OvfUnsupportedDiskProvisioning""".split()


def new_enough(version):
    match = re.match(r"vim\.version\.v(\d+)_(\d+)_(\d+)_(\d+)$", version)
    return not match or tuple(int(part) for part in match.groups()) <= (8, 0, 3, 0)


def create_data(vmodl, wsdl, parent, version, props):
    wsdl_of[vmodl] = wsdl
    data[wsdl] = (parent, [p for p in props or [] if new_enough(p[2])])


def create_enum(vmodl, wsdl, version, values):
    wsdl_of[vmodl] = wsdl
    enums[wsdl] = values


def create_managed(vmodl, wsdl, parent, version, props, methods):
    wsdl_of[vmodl] = wsdl
    managed[wsdl] = (parent, [p for p in props or [] if new_enough(p[2])], [m for m in methods or [] if new_enough(m[2])])


scope = {
    "F_LINK": LINK, "F_LINKABLE": LINKABLE, "F_OPTIONAL": OPTIONAL, "F_SECRET": SECRET,
    "CreateDataType": create_data, "CreateEnumType": create_enum, "CreateManagedType": create_managed,
    "AddVersion": lambda *a: None, "AddVersionParent": lambda *a: None, "AddBreakingChangesInfo": lambda *a: None,
}
CORE = {"vmodl.DynamicData": "DynamicData", "vmodl.ManagedObject": "ManagedObject", "vmodl.MethodFault": "MethodFault",
        "vmodl.RuntimeFault": "RuntimeFault", "vmodl.LocalizedMethodFault": "LocalizedMethodFault", "vmodl.Any": "anyType"}
PRIMITIVE = {"vmodl.DateTime": "dateTime", "vmodl.URI": "string", "vmodl.MethodName": "string", "vmodl.PropertyPath": "string",
             "vmodl.TypeName": "string", "vmodl.Binary": "base64Binary", "void": "void", "bool": "boolean", "boolean": "boolean",
             "vmodl.ManagedObject": "ManagedObject", "binary": "base64Binary"}
for part in ("core", "query", "vim"):
    source = open(f"{sys.argv[1]}/_typeinfo_{part}.py").read()
    source = "\n".join(line for line in source.split("\n") if not line.startswith(("from ", "import ", "newestVersions", "ltsVersions", "dottedVersions", "oldestVersions", "publicVersions", "stableVersions")))
    exec(compile(source, part, "exec"), scope)
wsdl_of.update(CORE)
data.setdefault("DynamicData", ("", []))
data.setdefault("MethodFault", ("DynamicData", [("faultCause", "vmodl.LocalizedMethodFault", "", OPTIONAL), ("faultMessage", "vmodl.LocalizableMessage[]", "", OPTIONAL)]))
data.setdefault("RuntimeFault", ("vmodl.MethodFault", []))
data.setdefault("LocalizedMethodFault", ("vmodl.DynamicData", [("fault", "vmodl.MethodFault", "", 0), ("localizedMessage", "string", "", OPTIONAL)]))
managed.setdefault("ManagedObject", ("", [], []))


def short(vmodl):
    many = vmodl.endswith("[]")
    name = vmodl[:-2] if many else vmodl
    name = PRIMITIVE.get(name) or wsdl_of.get(name) or name
    return name + ("[]" if many else "")


def bare(name):
    return name[:-2] if name.endswith("[]") else name


wanted, queue = set(), []


def want(name):
    name = bare(name)
    if name not in wanted and (name in data or name in enums):
        wanted.add(name)
        queue.append(name)


def member(p, owner=""):
    # On the wire a member that is a fault is always a LocalizedMethodFault around it.
    kind = short(p[1])
    if kind.startswith("MethodFault") and owner != "LocalizedMethodFault":
        kind = kind.replace("MethodFault", "LocalizedMethodFault", 1)
    return f"{p[0]}:{kind}{'?' if p[3] & OPTIONAL else ''}"


lines = []
for name in MANAGED:
    parent, props, _ = managed[name]
    lines.append(" ".join(["managed", name, short(parent) if parent else "-"] + [member(p) for p in props]))
    for p in props:
        if bare(short(p[1])) not in OPAQUE:
            want(short(p[1]))
found = set()
for name, (_, _, methods) in sorted(managed.items()):
    for m in methods:
        if m[1] in CALLS and name in MANAGED:
            found.add(m[1])
            result = short(m[4][1]) if m[4] else "void"
            lines.append(" ".join(["call", name, m[1]] + [member(p) for p in m[3]] + ["->", result]))
            for p in m[3]:
                if bare(short(p[1])) not in OPAQUE:
                    want(short(p[1]))
            want(result)
missing = [c for c in CALLS if c not in found]
for name in ALSO + FAULTS:
    if name in data or name in enums:
        want(name)
    else:
        missing.append(name)
while queue:
    name = queue.pop()
    if name in enums:
        continue
    parent, props = data[name]
    if parent:
        want(short(parent))
    if name in OPAQUE and name not in ALSO and name not in ("LocalizedMethodFault", "MethodFault"):
        continue
    for p in props:
        t = bare(short(p[1]))
        if t not in OPAQUE or t in ALSO:
            want(t)
for name in sorted(wanted):
    if name in enums:
        lines.append(f"enum {name} {'|'.join(enums[name])}")
    else:
        parent, props = data[name]
        opaque = name in OPAQUE and name not in ALSO and name not in ("LocalizedMethodFault", "MethodFault")
        lines.append(" ".join(["data", name, short(parent) if parent else "-"] + ([] if opaque else [member(p, name) for p in props])))
print("# vim25 (to 8.0.3): names, order and types of the parts the simulator speaks. Made by extract.py; do not edit by hand.")
print("\n".join(lines))
if missing:
    print("not in the tables: " + " ".join(missing), file=sys.stderr)
