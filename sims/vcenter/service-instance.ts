import type { Lab } from './lab.ts';
import { singleton } from './managed.ts';
import { type Data, ref, text } from './value.ts';
import { VimFault } from './vim-fault.ts';

const API_VERSION = '8.0.3.0';

function about(lab: Lab): Data {
  return {
    name: 'VMware vCenter Server',
    fullName: 'VMware vCenter Server 8.0.3 build-24022515',
    vendor: 'VMware, Inc.',
    version: '8.0.3',
    build: '24022515',
    localeVersion: 'INTL',
    localeBuild: '000',
    osType: 'linux-x64',
    productLineId: 'vpx',
    apiType: 'VirtualCenter',
    apiVersion: API_VERSION,
    instanceUuid: lab.instanceUuid,
    licenseProductName: 'VMware VirtualCenter Server',
    licenseProductVersion: '8.0',
  };
}

/** What this server has of the vendor's managers; one it does not have is absent. */
function content(lab: Lab): Data {
  return {
    _type: 'ServiceContent',
    rootFolder: ref('Folder', 'group-d1'),
    propertyCollector: ref('PropertyCollector', 'propertyCollector'),
    viewManager: ref('ViewManager', 'ViewManager'),
    about: about(lab),
    setting: ref('OptionManager', 'VpxSettings'),
    sessionManager: ref('SessionManager', 'SessionManager'),
    authorizationManager: ref('AuthorizationManager', 'AuthorizationManager'),
    taskManager: ref('TaskManager', 'TaskManager'),
    customFieldsManager: ref('CustomFieldsManager', 'CustomFieldsManager'),
    searchIndex: ref('SearchIndex', 'SearchIndex'),
    fileManager: ref('FileManager', 'FileManager'),
    ovfManager: ref('OvfManager', 'OvfManager'),
  };
}

export const serviceInstance = singleton(
  'ServiceInstance',
  'ServiceInstance',
  {
    serverClock: (lab) => lab.now().toISOString(),
    capability: () => ({
      provisioningSupported: true,
      multiHostSupported: true,
      userShellAccessSupported: false,
      supportedEVCMode: [],
      networkBackupAndRestoreSupported: true,
    }),
    content,
  },
  {
    RetrieveServiceContent: (call) => content(call.lab),
    CurrentTime: (call) => call.lab.now().toISOString(),
  },
);

const SETTINGS: [key: string, value: string | boolean][] = [
  ['VirtualCenter.InstanceName', 'lab'],
  ['config.vpxd.hostnameUrl', 'localhost'],
];

export const optionManager = singleton(
  'OptionManager',
  'VpxSettings',
  { setting: () => SETTINGS.map(([key, value]) => ({ _type: 'OptionValue', key, value })) },
  {
    QueryOptions(_call, args) {
      const name = text(args, 'name') ?? '';
      const found = SETTINGS.filter(([key]) => key === name || (name.endsWith('.') && key.startsWith(name)));
      if (!found.length) throw new VimFault('InvalidName', `The option '${name}' does not exist.`, { name });
      return found.map(([key, value]) => ({ _type: 'OptionValue', key, value }));
    },
  },
);
