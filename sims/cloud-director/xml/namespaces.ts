export const vcloudNamespace = 'http://www.vmware.com/vcloud/v1.5';
export const versionsNamespace = 'http://www.vmware.com/vcloud/versions';
export const ovfNamespace = 'http://schemas.dmtf.org/ovf/envelope/1';
export const rasdNamespace = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData';
export const vssdNamespace = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData';
export const vmwNamespace = 'http://www.vmware.com/schema/ovf';
const environmentNamespace = 'http://schemas.dmtf.org/ovf/environment/1';
export const xsiNamespace = 'http://www.w3.org/2001/XMLSchema-instance';

/** The declarations on the root of every `/api` document; vCloud is the default namespace there. */
export const apiDeclarations: Readonly<Record<string, string>> = {
  xmlns: vcloudNamespace,
  'xmlns:vcloud': vcloudNamespace,
  'xmlns:ovf': ovfNamespace,
  'xmlns:rasd': rasdNamespace,
  'xmlns:vssd': vssdNamespace,
  'xmlns:vmw': vmwNamespace,
  'xmlns:ovfenv': environmentNamespace,
  'xmlns:xsi': xsiNamespace,
};

/** Prefix of each namespace inside an `/api` document. */
export const apiPrefixes: Readonly<Record<string, string>> = {
  [vcloudNamespace]: '',
  [ovfNamespace]: 'ovf:',
  [rasdNamespace]: 'rasd:',
  [vssdNamespace]: 'vssd:',
  [vmwNamespace]: 'vmw:',
  [environmentNamespace]: 'ovfenv:',
  [xsiNamespace]: 'xsi:',
};

/** Prefix of each namespace inside an OVF descriptor, where vCloud has a prefix of its own. */
export const ovfPrefixes: Readonly<Record<string, string>> = { ...apiPrefixes, [vcloudNamespace]: 'vcloud:' };
